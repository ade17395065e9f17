//! Sessions as operators see and end them.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::revocations;
use super::schema::{sessions, users};
use super::session_ends::{End, SessionsEnded, end_all_of_client, end_all_of_user, end_live};
use crate::audit::{Action, Event};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::revocations::RevocationTarget;
use crate::sessions::EndReason;

/// A page of sessions, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct SessionPage {
    pub user_id: Option<String>,
    pub client_id: Option<String>,
    /// Ended and expired ones, too, as long as they are kept.
    pub all: bool,
    /// Only sessions after this ID.
    pub after: String,
    pub limit: u32,
}

/// A session with the name of its user. Times are in milliseconds since the epoch.
#[derive(Debug, Clone, Queryable)]
pub struct SessionSummary {
    pub id: String,
    pub user_id: String,
    pub username: String,
    pub client_id: String,
    pub scope: String,
    pub audience: String,
    pub created_at: i64,
    /// Its last refresh.
    pub rotated_at: i64,
    pub idle_expires_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    pub end_reason: Option<String>,
    pub device: Option<String>,
}

/// Whose sessions an operator ends.
#[derive(Debug, Clone)]
pub enum SessionsOf {
    User(String),
    Client(ClientId),
    One(String),
}

macro_rules! summary_columns {
    () => {
        (
            sessions::id,
            sessions::user_id,
            users::username,
            sessions::client_id,
            sessions::scope,
            sessions::audience,
            sessions::created_at,
            sessions::rotated_at,
            sessions::idle_expires_at,
            sessions::expires_at,
            sessions::ended_at,
            sessions::end_reason,
            sessions::device,
        )
    };
}

impl Storage {
    /// # Errors
    /// [`StorageError`].
    pub fn sessions_page(
        &self,
        page: &SessionPage,
        now: Timestamp,
    ) -> Result<Vec<SessionSummary>, StorageError> {
        let live = sessions::ended_at
            .is_null()
            .and(sessions::idle_expires_at.gt(now.0))
            .and(sessions::expires_at.gt(now.0));
        let of_user = sessions::user_id.nullable().eq(page.user_id.as_deref());
        let of_client = sessions::client_id.nullable().eq(page.client_id.as_deref());
        let found = sessions::table
            .inner_join(users::table)
            .filter(live.or(page.all.into_sql::<Bool>()))
            .filter(of_user.assume_not_null().or(page.user_id.is_none().into_sql::<Bool>()))
            .filter(of_client.assume_not_null().or(page.client_id.is_none().into_sql::<Bool>()))
            .filter(sessions::id.gt(&page.after))
            .order(sessions::id)
            .limit(page.limit.into())
            .select(summary_columns!());
        self.read(|connection| Ok(found.load(connection)?))
    }

    /// # Errors
    /// [`StorageError`]; `Ok(None)` when there is no such session.
    pub fn session_summary(&self, id: &str) -> Result<Option<SessionSummary>, StorageError> {
        let found = sessions::table.inner_join(users::table).filter(sessions::id.eq(id));
        self.read(|connection| Ok(found.select(summary_columns!()).first(connection).optional()?))
    }

    /// Ends live sessions and revokes their access tokens: how many ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn end_sessions(
        &self,
        of: &SessionsOf,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<usize, StorageError> {
        let of = of.clone();
        self.write_revoking(move |connection| {
            let end = End { now, reason: EndReason::Revoked, revoked_until };
            let (ended, event) = end_of(connection, &of, end)?;
            revocations::append(connection, &ended.revoked, revoked_until)?;
            let event = event.detail(ended.detail());
            // Of a user also without a session: tokens of the previous issuer are no longer exchanged.
            let is_change = ended.count > 0 || matches!(of, SessionsOf::User(_));
            Ok((ended.count, is_change.then_some(event)))
        })
    }
}

fn end_of(
    connection: &mut AnyConnection,
    of: &SessionsOf,
    end: End,
) -> Result<(SessionsEnded, Event), StorageError> {
    let event = Event::of(Action::SessionEnded);
    match of {
        SessionsOf::User(id) => {
            // The lock that a login takes first.
            let set_at = users::password_set_at.eq(end.now.0);
            diesel::update(users::table.find(id)).set(set_at).execute(connection)?;
            let ids = end_all_of_user(connection, id, end)?;
            let revoked = revocations::of_ended_sessions(&ids, id, end.now);
            Ok((SessionsEnded { count: ids.len(), revoked }, event.user(id)))
        }
        SessionsOf::Client(id) => {
            let ids = end_all_of_client(connection, id, end)?;
            let revoked = revocations::of_ended_sessions_of_client(&ids, id.as_str(), end.now);
            Ok((SessionsEnded { count: ids.len(), revoked }, event.client(id.as_str())))
        }
        SessionsOf::One(id) => {
            let ended = end_live(connection, id, end)?;
            let revoked: Vec<_> = ended.iter().map(|_| RevocationTarget::Session(id.clone())).collect();
            let ended_now = SessionsEnded { count: revoked.len(), revoked };
            Ok((ended_now, ended.unwrap_or_else(|| event.session(id))))
        }
    }
}
