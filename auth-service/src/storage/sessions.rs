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

/// The user of a login, as it was when the login was checked.
pub(super) struct AtLogin {
    pub user_id: String,
    epoch: i64,
    now: Timestamp,
}

impl AtLogin {
    pub(super) fn of(user: &User, now: Timestamp) -> Self {
        Self { user_id: user.id.clone(), epoch: user.password_epoch, now }
    }
}

impl Login {
    /// For the audit log.
    pub(super) fn detail(&self, more: &str) -> String {
        let by_code = matches!(self.factor, Some(PresentedFactor::RecoveryCode(_)));
        [Some("by a recovery code").filter(|_| by_code), Some(more).filter(|more| !more.is_empty())]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Writes what a login leaves behind at its account, and spends its second factor; `Ok(false)` when another login has spent
/// that. Write first: it takes the row's lock, so that disabling the account or changing its password comes wholly before
/// what the caller stores or wholly after it, and then ends it.
///
/// # Errors
/// [`StorageError::RolledBack`] when the account was disabled or its password changed.
pub(super) fn note_login(
    connection: &mut AnyConnection,
    at: &AtLogin,
    login: &Login,
) -> Result<bool, StorageError> {
    let AtLogin { user_id, epoch, now } = at;
    if let Some(factor) = &login.factor
        && !second_factors::spend(connection, user_id, factor)?
    {
        return Ok(false);
    }
    let seen = Seen {
        last_login_at: now.0,
        password_scheme: login.rehashed.as_deref().map(scheme_of),
        password_hash: login.rehashed.clone(),
    };
    let unchanged = users::table
        .filter(users::id.eq(user_id))
        .filter(users::password_epoch.eq(epoch))
        .filter(users::disabled_at.is_null());
    if diesel::update(unchanged).set(&seen).execute(connection)? == 0 {
        // The second factor is not spent.
        return Err(StorageError::RolledBack);
    }
    if let Some(attempt) = &login.attempt {
        attempts::give_back(connection, attempt)?;
    }
    if let Some(known) = &login.known {
        attempts::remember(connection, known, now.plus(KNOWN_FOR))?;
    }
    Ok(true)
}

impl Storage {
    /// Starts a session, unless the account was disabled or its password changed since it was read. What
    /// comes with it is written in the same step.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn start_session(&self, session: &Session, user: &User, login: Login) -> Result<Start, StorageError> {
        let row = SessionRow::from_session(session);
        let at = AtLogin::of(user, session.created_at);
        let (client, id) = (session.client_id.clone(), session.id.clone());
        let outcome = self.write_audited(move |connection| {
            if !note_login(connection, &at, &login)? {
                return Ok((Start::FactorSpent, None));
            }
            diesel::insert_into(sessions::table).values(row).execute(connection)?;
            let ended = end_oldest(connection, &at.user_id, login.limit, at.now)?;
            let event = Event::of(Action::Login).by(Actor::User(at.user_id.clone())).user(&at.user_id);
            let event = event.client(client.as_str()).session(&id).detail(login.detail(&over_limit(ended)));
            Ok((Start::Done, Some(event)))
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

/// For the audit log: sessions that had to end for a new one.
pub(super) fn over_limit(ended: usize) -> String {
    if ended == 0 { String::new() } else { format!("{ended} oldest sessions ended: tokens.max_sessions") }
}

pub(super) fn find_session(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<Session>, StorageError> {
    let row = sessions::table.find(id).select(SessionRow::as_select()).first(connection).optional()?;
    row.map(SessionRow::into_session).transpose()
}
