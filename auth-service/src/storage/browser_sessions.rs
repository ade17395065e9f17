//! Browser sessions, and the sessions that end with them.

use diesel::prelude::*;

use super::browser_session_row::BrowserSessionRow;
use super::connection::{AnyConnection, on_inner};
use super::error::StorageError;
use super::schema::{browser_sessions, consents, sessions, users};
use super::session_ends::SessionsEnded;
use super::sessions::{AtLogin, note_login};
use super::{Login, Start, Storage, logout_notices, revocations, scope};
use crate::audit::{Action, Actor, Event};
use crate::browser_sessions::{BrowserSession, LiveBrowserSession};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::sessions::EndReason;
use crate::users::User;

/// The request that browser sessions are looked up for.
#[derive(Debug, Clone, Copy)]
pub struct ConsentsFor<'a> {
    pub client: &'a ClientId,
    pub audience: &'a str,
}

/// A browser session that ends.
#[derive(Debug, Clone, Copy)]
pub struct BrowserEnd {
    pub now: Timestamp,
    /// When the last access token of its sessions has expired everywhere.
    pub revoked_until: Timestamp,
}

impl Storage {
    /// Those of `ids` that are live and whose users are active, with what their users allowed a client. Their secrets are
    /// for the caller to compare.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn live_browser_sessions(
        &self,
        ids: &[String],
        asked: Option<ConsentsFor<'_>>,
        now: Timestamp,
    ) -> Result<Vec<LiveBrowserSession>, StorageError> {
        // Nothing is asked for what the request is not about: no client has this name.
        let (client, audience) = asked.map_or(("", ""), |asked| (asked.client.as_str(), asked.audience));
        self.read(|connection| {
            // One by one, for the same statement each time: a browser has few accounts, and most have one.
            let live = ids.iter().map(|id| {
                let consented = consents::table.on(consents::user_id
                    .eq(browser_sessions::user_id)
                    .and(consents::client_id.eq(client))
                    .and(consents::audience.eq(audience))
                    .and(consents::expires_at.gt(now.0)));
                let live = browser_sessions::table
                    .inner_join(users::table)
                    .left_join(consented)
                    .filter(browser_sessions::id.eq(id))
                    .filter(browser_sessions::ended_at.is_null())
                    .filter(browser_sessions::idle_expires_at.gt(now.0))
                    .filter(browser_sessions::expires_at.gt(now.0))
                    .filter(users::disabled_at.is_null());
                let row: Option<(BrowserSessionRow, String, i64, Option<String>)> =
                    on_inner!(&mut *connection, |inner| {
                        let columns = (
                            BrowserSessionRow::as_select(),
                            users::username,
                            users::password_epoch,
                            consents::scope.nullable(),
                        );
                        live.select(columns).first(inner).optional()?
                    });
                let Some((row, username, password_epoch, consented)) = row else { return Ok(None) };
                let consented = consented.as_deref().map(scope).transpose()?;
                Ok(Some(LiveBrowserSession {
                    session: row.into_session(),
                    username,
                    password_epoch,
                    consented,
                }))
            });
            live.filter_map(Result::transpose).collect()
        })
    }

    /// Begins a browser session, unless the account was disabled or its password changed since it was read. `renews` is the
    /// session that the same user has in the same browser: it goes on with another secret, so that what came from it stays.
    /// Returns its ID with the outcome.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn begin_browser_session(
        &self,
        session: BrowserSession,
        user: &User,
        login: Login,
        renews: Option<String>,
    ) -> Result<(Start, String), StorageError> {
        let at = AtLogin::of(user, session.created_at);
        let row = BrowserSessionRow::from_session(&session);
        let outcome = self.write_audited(move |connection| {
            if !note_login(connection, &at, &login)? {
                return Ok(((Start::FactorSpent, row.id.clone()), None));
            }
            let id = match renews {
                Some(id) if renew(connection, &id, &row)? => id,
                Some(_) | None => {
                    let id = row.id.clone();
                    diesel::insert_into(browser_sessions::table).values(row).execute(connection)?;
                    id
                }
            };
            let event = Event::of(Action::Login).by(Actor::User(at.user_id.clone())).user(&at.user_id);
            let event = event.detail(login.detail("in a browser"));
            Ok(((Start::Done, id), Some(event)))
        });
        match outcome {
            Err(StorageError::RolledBack) => Ok((Start::AccountChanged, String::new())),
            outcome => outcome,
        }
    }

    /// Ends a browser session and what came from it, but for sessions with `offline_access`; its clients are told by notices
    /// that are stored with it. What ended; `Ok(None)` when it had ended before or never was.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn end_browser_session(
        &self,
        id: &str,
        by: Option<Actor>,
        end: BrowserEnd,
    ) -> Result<Option<SessionsEnded>, StorageError> {
        let id = id.to_owned();
        self.write_revoking(move |connection| {
            let live = browser_sessions::table.find(&id).filter(browser_sessions::ended_at.is_null());
            let user_id: Option<String> = diesel::update(live)
                .set(browser_sessions::ended_at.eq(end.now.0))
                .returning(browser_sessions::user_id)
                .get_result(connection)
                .optional()?;
            let Some(user_id) = user_id else { return Ok((None, None)) };
            logout_notices::add(connection, std::slice::from_ref(&id), end.now)?;
            let came_from_it = sessions::table
                .filter(sessions::browser_session_id.eq(&id))
                .filter(sessions::offline.eq(false))
                .filter(sessions::ended_at.is_null());
            let ended: Vec<String> = diesel::update(came_from_it)
                .set((
                    sessions::ended_at.eq(end.now.0),
                    sessions::end_reason.eq(EndReason::LoggedOut.as_str()),
                ))
                .returning(sessions::id)
                .get_results(connection)?;
            let targets = revocations::of_ended_sessions(&ended, &user_id, end.now);
            revocations::append(connection, &targets, end.revoked_until)?;
            let event = Event::of(Action::BrowserSessionEnded).user(&user_id).session(&id);
            let ended = SessionsEnded { count: ended.len(), revoked: targets };
            let event = event.detail(ended.detail());
            let event = by.iter().fold(event, |event, by| event.by(by.clone()));
            Ok((Some(ended), Some(event)))
        })
    }
}

/// The same user logs in again in the same browser.
fn renew(connection: &mut AnyConnection, id: &str, row: &BrowserSessionRow) -> Result<bool, StorageError> {
    let own = browser_sessions::table
        .find(id)
        .filter(browser_sessions::user_id.eq(&row.user_id))
        .filter(browser_sessions::ended_at.is_null());
    let renewed = diesel::update(own)
        .set((
            browser_sessions::secret_hash.eq(&row.secret_hash),
            browser_sessions::auth_time.eq(row.auth_time),
            browser_sessions::amr.eq(&row.amr),
            browser_sessions::idle_expires_at.eq(row.idle_expires_at),
            browser_sessions::expires_at.eq(row.expires_at),
        ))
        .execute(connection)?;
    Ok(renewed > 0)
}
