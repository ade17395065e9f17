use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::revocations;
use super::schema::{sessions, users};
use super::users::scheme_of;
use super::{Storage, attempts, scope, second_factors, words};
use crate::audit::{Action, Actor, Event};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::revocations::RevocationTarget;
use crate::sessions::{EndReason, Ended, Presented, Session};
use crate::users::PresentedFactor;
use crate::users::{Attempt, KNOWN_FOR, User};

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub(super) struct SessionRow {
    pub(super) id: String,
    user_id: String,
    client_id: String,
    scope: String,
    audience: String,
    auth_time: i64,
    amr: String,
    created_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    generation: i64,
    rotated_at: i64,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    device: Option<String>,
}

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

/// How many live sessions a user may have; beyond it the oldest end.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimit {
    pub most: u32,
    /// When the last access token of a session that ends now has expired everywhere.
    pub revoked_until: Timestamp,
}

/// The rest, of a user who had more, ends at the next login.
const MOST_ENDED_AT_ONCE: i64 = 500;

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

/// Whose sessions end, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub now: Timestamp,
    pub reason: EndReason,
    /// When the last access token of the session has expired everywhere.
    pub revoked_until: Timestamp,
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

/// What there is to be said of it; nothing when it had ended before.
pub(super) fn end_one(
    connection: &mut AnyConnection,
    id: &str,
    end: End,
) -> Result<Option<Event>, StorageError> {
    let live = sessions::table.filter(sessions::id.eq(id)).filter(sessions::ended_at.is_null());
    let ended: Option<(String, String)> = diesel::update(live)
        .set((sessions::ended_at.eq(end.now.0), sessions::end_reason.eq(end.reason.as_str())))
        .returning((sessions::user_id, sessions::client_id))
        .get_result(connection)
        .optional()?;
    let Some((user_id, client_id)) = ended else { return Ok(None) };
    revocations::append(connection, &[RevocationTarget::Session(id.to_owned())], end.revoked_until)?;
    let event = Event::of(Action::SessionEnded).user(&user_id).client(&client_id).session(id);
    // Anyone who holds a refresh token of the session ends it by its client; reuse is found by the authority.
    let by = ClientId::parse(&client_id).filter(|_| end.reason == EndReason::Revoked).map(Actor::Client);
    Ok(Some(event.by(by.unwrap_or(Actor::Authority)).detail(end.reason.as_str())))
}

/// Ends every live session of a user, in the transaction of the change that calls for it, and names them:
/// that change takes their tokens back. All sessions come before the counter: two transactions that took
/// these locks in another order could each wait for the other.
pub(super) fn end_all_of_user(
    connection: &mut AnyConnection,
    user_id: &str,
    end: End,
) -> Result<Vec<String>, StorageError> {
    let live = sessions::table.filter(sessions::user_id.eq(user_id)).filter(sessions::ended_at.is_null());
    Ok(diesel::update(live)
        .set((sessions::ended_at.eq(end.now.0), sessions::end_reason.eq(end.reason.as_str())))
        .returning(sessions::id)
        .get_results(connection)?)
}

/// The same for the sessions of a client.
pub(super) fn end_all_of_client(
    connection: &mut AnyConnection,
    client_id: &ClientId,
    end: End,
) -> Result<Vec<String>, StorageError> {
    let live = sessions::table
        .filter(sessions::client_id.eq(client_id.as_str()))
        .filter(sessions::ended_at.is_null());
    Ok(diesel::update(live)
        .set((sessions::ended_at.eq(end.now.0), sessions::end_reason.eq(end.reason.as_str())))
        .returning(sessions::id)
        .get_results(connection)?)
}

/// Ends the oldest live sessions of a user beyond the limit: how many.
pub(super) fn end_oldest(
    connection: &mut AnyConnection,
    user_id: &str,
    limit: Option<SessionLimit>,
    now: Timestamp,
) -> Result<usize, StorageError> {
    let Some(SessionLimit { most, revoked_until }) = limit else { return Ok(0) };
    let beyond: Vec<String> = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::idle_expires_at.gt(now.0))
        .filter(sessions::expires_at.gt(now.0))
        .order((sessions::created_at.desc(), sessions::id.desc()))
        .offset(most.into())
        .limit(MOST_ENDED_AT_ONCE)
        .select(sessions::id)
        .load(connection)?;
    if beyond.is_empty() {
        return Ok(0);
    }
    let live = sessions::table.filter(sessions::id.eq_any(&beyond)).filter(sessions::ended_at.is_null());
    let ended: Vec<String> = diesel::update(live)
        .set((sessions::ended_at.eq(now.0), sessions::end_reason.eq(EndReason::Revoked.as_str())))
        .returning(sessions::id)
        .get_results(connection)?;
    // By session: the session that has just begun must go on.
    let targets: Vec<RevocationTarget> = ended.into_iter().map(RevocationTarget::Session).collect();
    revocations::append(connection, &targets, revoked_until)?;
    Ok(targets.len())
}

/// How many sessions a change has ended, for the audit log.
pub(super) fn sessions_ended(count: usize) -> String {
    format!("{count} sessions ended")
}

impl SessionRow {
    pub(super) fn from_session(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            user_id: session.user_id.clone(),
            client_id: session.client_id.to_string(),
            scope: session.scope.to_string(),
            audience: session.audience.clone(),
            auth_time: session.auth_time.0,
            amr: session.amr.join(" "),
            created_at: session.created_at.0,
            idle_expires_at: session.idle_expires_at.0,
            expires_at: session.expires_at.0,
            generation: session.generation,
            rotated_at: session.rotated_at.0,
            ended_at: session.ended.map(|ended| ended.at.0),
            end_reason: session.ended.map(|ended| ended.reason.as_str().to_owned()),
            device: session.device.clone(),
        }
    }

    /// Whether an update that returned this row was asked for by this token.
    pub(super) fn was_rotated_by(&self, presented: &Presented) -> bool {
        self.generation == presented.generation + 1 && self.client_id == presented.client_id.as_str()
    }

    pub(super) fn into_session(self) -> Result<Session, StorageError> {
        let unreadable = |what: &str| StorageError::Unreadable(format!("session with a malformed {what}"));
        let ended = match (self.ended_at, self.end_reason.as_deref()) {
            (None, None) => None,
            (Some(at), Some(reason)) => {
                let reason = EndReason::parse(reason).ok_or_else(|| unreadable("end_reason"))?;
                Some(Ended { at: Timestamp(at), reason })
            }
            _ => return Err(unreadable("end")),
        };
        Ok(Session {
            client_id: ClientId::parse(&self.client_id).ok_or_else(|| unreadable("client_id"))?,
            scope: scope(&self.scope)?,
            id: self.id,
            user_id: self.user_id,
            audience: self.audience,
            auth_time: Timestamp(self.auth_time),
            amr: words(&self.amr),
            created_at: Timestamp(self.created_at),
            idle_expires_at: Timestamp(self.idle_expires_at),
            expires_at: Timestamp(self.expires_at),
            generation: self.generation,
            rotated_at: Timestamp(self.rotated_at),
            ended,
            device: self.device,
        })
    }
}
