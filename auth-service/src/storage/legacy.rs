//! Refresh tokens of the previous issuer: each is exchanged once, or was blacklisted.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::import_mark::Mark;
use super::schema::{legacy_tokens, sessions, users};
use super::session_ends::{End, SessionLimit, end_oldest, end_one};
use super::session_row::SessionRow;
use super::{Storage, second_factors};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::sessions::{EndReason, Session};
use crate::users::Attributes;

/// A token that is presented, and the session that it is exchanged for.
#[derive(Debug, Clone)]
pub struct LegacyExchange {
    pub jti: String,
    pub expires_at: Timestamp,
    /// `None` where the token does not say; it is older than nothing then.
    pub issued_at: Option<Timestamp>,
    /// The account, by the id that it had.
    pub legacy_id: String,
    /// Where the token says of which password hash it is: MD5 in upper case.
    pub hash_password: Option<String>,
    /// Without its account, which is not known yet.
    pub session: Session,
    pub limit: SessionLimit,
}

/// Its id, roles, id of before, profile and mark.
type Account = (String, String, Option<String>, String, Option<String>);

/// What came of it.
#[derive(Debug)]
pub enum Exchanged {
    Started(Box<Session>, Attributes),
    /// It was exchanged before, or blacklisted.
    Spent,
    /// No user has this id, or they are disabled, set their password after the token was issued, or have a second
    /// factor.
    NoAccount,
}

impl Storage {
    /// Exchanges a token for a session, once. What is refused spends nothing.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn exchange_legacy_token(&self, exchange: LegacyExchange) -> Result<Exchanged, StorageError> {
        self.write_audited(move |connection| {
            let LegacyExchange { jti, expires_at, issued_at, legacy_id, hash_password, mut session, limit } =
                exchange;
            if spend(connection, &jti, expires_at)? == 0 {
                return Ok((Exchanged::Spent, None));
            }
            let unspend = |connection: &mut AnyConnection| {
                diesel::delete(legacy_tokens::table.find(&jti)).execute(connection)?;
                Ok((Exchanged::NoAccount, None))
            };
            // Write first: disabling the account comes wholly before this session or wholly after it.
            let issued_at = issued_at.unwrap_or(Timestamp(0));
            let older_password = users::password_set_at.is_null().or(users::password_set_at.lt(issued_at.0));
            let account = users::table
                .filter(users::legacy_id.eq(&legacy_id))
                // One that was made here may have a number; no token from there is of it.
                .filter(users::import_mark.is_not_null())
                .filter(users::disabled_at.is_null())
                .filter(older_password);
            let found = diesel::update(account)
                .set(users::last_login_at.eq(session.created_at.0))
                .returning((users::id, users::roles, users::legacy_id, users::profile, users::import_mark))
                .get_result::<Account>(connection)
                .optional()?;
            let Some((user_id, roles, legacy_id, profile, mark)) = found else {
                return unspend(connection);
            };
            let imported = Mark::parse(mark.as_deref().unwrap_or_default()).password;
            if hash_password.is_some_and(|of_token| of_token != imported) {
                return unspend(connection);
            }
            // It was issued for a password alone: it must not stand for the second factor that the user has now.
            if second_factors::is_set_up(connection, &user_id)? {
                return unspend(connection);
            }
            session.user_id = user_id;
            diesel::insert_into(sessions::table)
                .values(SessionRow::from_session(&session))
                .execute(connection)?;
            end_oldest(connection, &session.user_id, Some(limit), session.created_at)?;
            let event = Event::of(Action::LegacyTokenExchanged)
                .by(Actor::User(session.user_id.clone()))
                .user(&session.user_id)
                .client(session.client_id.as_str())
                .session(&session.id);
            let attributes = Attributes { roles: super::words(&roles), legacy_id, profile };
            Ok((Exchanged::Started(Box::new(session), attributes), Some(event)))
        })
    }

    /// Whether a token may still be exchanged, as far as it is known here.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn legacy_token_is_spent(&self, jti: &str) -> Result<bool, StorageError> {
        self.read(|connection| {
            let found = legacy_tokens::table.find(jti).select(legacy_tokens::jti);
            Ok(found.first::<String>(connection).optional()?.is_some())
        })
    }

    /// Revokes a token, and the session that it was exchanged for, if it was. `false` when it was blacklisted
    /// before.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn blacklist_legacy_token(
        &self,
        jti: &str,
        expires_at: Timestamp,
        session_id: &str,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<bool, StorageError> {
        let (jti, session_id) = (jti.to_owned(), session_id.to_owned());
        self.write_revoking(move |connection| {
            if spend(connection, &jti, expires_at)? > 0 {
                return Ok((true, Some(Event::of(Action::LegacyTokenBlacklisted))));
            }
            let end = End { now, reason: EndReason::Revoked, revoked_until };
            let ended = end_one(connection, &session_id, end)?;
            Ok((ended.is_some(), ended))
        })
    }

    /// Forgets tokens that have expired: how many.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sweep_legacy_tokens(&self, before: Timestamp) -> Result<usize, StorageError> {
        self.write(move |connection| {
            let page = legacy_tokens::table.filter(legacy_tokens::expires_at.lt(before.0)).limit(500);
            let dead: Vec<String> = page.select(legacy_tokens::jti).load(connection)?;
            Ok(diesel::delete(legacy_tokens::table.filter(legacy_tokens::jti.eq_any(dead)))
                .execute(connection)?)
        })
    }
}

fn spend(connection: &mut AnyConnection, jti: &str, expires_at: Timestamp) -> Result<usize, StorageError> {
    let row = (legacy_tokens::jti.eq(jti), legacy_tokens::expires_at.eq(expires_at.0));
    Ok(match connection {
        AnyConnection::Postgres(connection) => diesel::insert_into(legacy_tokens::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
        AnyConnection::Sqlite(connection) => diesel::insert_into(legacy_tokens::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
    })
}
