use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{sessions, users};
use super::session_ends::{End, SessionLimit, end_oldest, end_one};
use super::session_row::SessionRow;
use super::users::scheme_of;
use super::{Storage, attempts, second_factors};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::sessions::{EndReason, Session};
use crate::users::PresentedFactor;
use crate::users::{Attempt, KNOWN_FOR, User};

/// What comes with a session that is started by a password.
#[derive(Debug, Default)]
pub struct Login {
    /// A better hash of the same password.
    pub rehashed: Option<String>,
    /// The account and the network together, as [`crate::users::Attempt`] names them.
    pub known: Option<String>,
    /// The presented second factor; it is spent in the same step.
    pub factor: Option<PresentedFactor>,
    pub limit: Option<SessionLimit>,
    /// The attempt that was counted as failed in advance.
    pub attempt: Option<Attempt>,
}

/// What became of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Done,
    /// It was disabled, or its password changed.
    AccountChanged,
    /// By another login at the same moment.
    FactorSpent,
}

/// What a login leaves behind at its account.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct Seen {
    last_login_at: i64,
    password_hash: Option<String>,
    password_scheme: Option<String>,
}

impl Storage {
    /// Starts a session, unless the account was disabled or its password changed since it was read. What
    /// comes with it is written in the same step.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn start_session(&self, session: &Session, user: &User, login: Login) -> Result<Start, StorageError> {
        let Login { rehashed, known, factor, limit, attempt } = login;
        let row = SessionRow::from_session(session);
        let seen = Seen {
            last_login_at: session.created_at.0,
            password_scheme: rehashed.as_deref().map(scheme_of),
            password_hash: rehashed,
        };
        let (user_id, epoch, now) = (user.id.clone(), user.password_epoch, session.created_at);
        let (client, id) = (session.client_id.clone(), session.id.clone());
        let outcome = self.write_audited(move |connection| {
            if let Some(factor) = &factor
                && !second_factors::spend(connection, &user_id, factor)?
            {
                return Ok((Start::FactorSpent, None));
            }
            // Write first: it takes the row's lock, so that disabling the account or changing its
            // password comes wholly before this session or wholly after it, and then ends it.
            let unchanged = users::table
                .filter(users::id.eq(&user_id))
                .filter(users::password_epoch.eq(epoch))
                .filter(users::disabled_at.is_null());
            if diesel::update(unchanged).set(&seen).execute(connection)? == 0 {
                // The second factor is not spent.
                return Err(StorageError::RolledBack);
            }
            diesel::insert_into(sessions::table).values(row).execute(connection)?;
            if let Some(attempt) = &attempt {
                attempts::give_back(connection, attempt)?;
            }
            if let Some(known) = known {
                attempts::remember(connection, &known, now.plus(KNOWN_FOR))?;
            }
            let ended = end_oldest(connection, &user_id, limit, now)?;
            let login = Event::of(Action::Login).by(Actor::User(user_id.clone())).user(&user_id);
            let login = login.client(client.as_str()).session(&id);
            let by_code = matches!(factor, Some(PresentedFactor::RecoveryCode(_)))
                .then(|| "by a recovery code".to_owned());
            let over = (ended > 0).then(|| format!("{ended} oldest sessions ended: tokens.max_sessions"));
            let details: Vec<String> = by_code.into_iter().chain(over).collect();
            Ok((Start::Done, Some(if details.is_empty() { login } else { login.detail(details.join("; ")) })))
        });
        match outcome {
            Err(StorageError::RolledBack) => Ok(Start::AccountChanged),
            outcome => outcome,
        }
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such session.
    pub fn find_session(&self, id: &str) -> Result<Option<Session>, StorageError> {
        self.read(|connection| find_session(connection, id))
    }

    /// Ends one session and takes its access tokens back. Idempotent: an ended session stays as it is.
    ///
    /// # Errors
    /// [`StorageError`]; `Ok(false)` when it had ended before or never was.
    pub fn end_session(
        &self,
        id: &str,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<bool, StorageError> {
        let id = id.to_owned();
        self.write_revoking(move |connection| {
            let end = End { now, reason: EndReason::Revoked, revoked_until };
            let ended = end_one(connection, &id, end)?;
            Ok((ended.is_some(), ended))
        })
    }
}

fn find_session(connection: &mut AnyConnection, id: &str) -> Result<Option<Session>, StorageError> {
    let row = sessions::table.find(id).select(SessionRow::as_select()).first(connection).optional()?;
    row.map(SessionRow::into_session).transpose()
}
