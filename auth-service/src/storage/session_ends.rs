//! Sessions that end, each in the transaction of the change that ends it, with the revocation of their access tokens.

use diesel::prelude::*;

use super::browser_session_ends;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::revocations;
use super::schema::sessions;
use crate::audit::{Action, Actor, Event};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;

/// How many live sessions a user may have; beyond it the oldest end.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimit {
    pub most: u32,
    /// When the last access token of a session that ends now has expired everywhere.
    pub revoked_until: Timestamp,
}

/// The rest, of a user who had more, ends at the next login.
const MOST_ENDED_AT_ONCE: i64 = 500;

/// Whose sessions end, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub now: Timestamp,
    pub reason: EndReason,
    /// When the last access token of the session has expired everywhere.
    pub revoked_until: Timestamp,
}

/// Sessions that a change has ended, and their revocations.
#[derive(Debug)]
pub struct SessionsEnded {
    pub count: usize,
    pub revoked: Vec<RevocationTarget>,
}

impl SessionsEnded {
    pub(super) fn detail(&self) -> String {
        sessions_ended(self.count)
    }
}

pub(super) fn end_others(
    connection: &mut AnyConnection,
    user_id: &str,
    kept: &str,
    end: End,
) -> Result<SessionsEnded, StorageError> {
    // A session that came from a browser keeps that browser logged in.
    let browser: Option<Option<String>> =
        sessions::table.find(kept).select(sessions::browser_session_id).first(connection).optional()?;
    browser_session_ends::end_all_of_user(connection, user_id, browser.flatten().as_deref(), end.now)?;
    let live = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::id.ne(kept))
        .filter(sessions::ended_at.is_null());
    let ended: Vec<String> = diesel::update(live)
        .set((sessions::ended_at.eq(end.now.0), sessions::end_reason.eq(end.reason.as_str())))
        .returning(sessions::id)
        .get_results(connection)?;
    let revoked = revocations::of_ended_sessions(&ended, user_id, end.now);
    revocations::append(connection, &revoked, end.revoked_until)?;
    Ok(SessionsEnded { count: ended.len(), revoked })
}

/// Ends a live session and leaves the revocation of its tokens to the caller: its audit entry; nothing when it had ended
/// before.
pub(super) fn end_live(
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
    let event = |(user_id, client_id): (String, String)| {
        Event::of(Action::SessionEnded).user(&user_id).client(&client_id).session(id)
    };
    Ok(ended.map(event))
}

/// Ends a session by its refresh token and revokes its tokens: its audit entry; nothing when it had ended before.
pub(super) fn end_one(
    connection: &mut AnyConnection,
    id: &str,
    end: End,
) -> Result<Option<Event>, StorageError> {
    let Some(event) = end_live(connection, id, end)? else { return Ok(None) };
    revocations::append(connection, &[RevocationTarget::Session(id.to_owned())], end.revoked_until)?;
    // Anyone who holds a refresh token of the session ends it by its client; reuse is found by the authority.
    let client = event.client_id.as_deref().and_then(ClientId::parse);
    let by = client.filter(|_| end.reason == EndReason::Revoked).map(Actor::Client);
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
    browser_session_ends::end_all_of_user(connection, user_id, None, end.now)?;
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
