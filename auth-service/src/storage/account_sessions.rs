//! The sessions of an account, as its user sees and ends them.

use diesel::prelude::*;

use super::Storage;
use super::error::StorageError;
use super::schema::{sessions, users};
use super::session_ends::{End, SessionsEnded, end_others};
use crate::audit::{Action, Actor, Event};
use crate::clock::Timestamp;
use crate::sessions::EndReason;

/// A session as its owner sees it.
#[derive(Debug, Clone, Queryable)]
pub struct SessionSeen {
    pub id: String,
    pub client_id: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// When it was last refreshed.
    pub rotated_at: i64,
    pub idle_expires_at: i64,
    pub expires_at: i64,
    pub device: Option<String>,
}

impl Storage {
    /// The live sessions of an account, the newest first.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn live_sessions(&self, user_id: &str, now: Timestamp) -> Result<Vec<SessionSeen>, StorageError> {
        self.read(|connection| {
            let live = sessions::table
                .filter(sessions::user_id.eq(user_id))
                .filter(sessions::ended_at.is_null())
                .filter(sessions::idle_expires_at.gt(now.0))
                .filter(sessions::expires_at.gt(now.0))
                .order((sessions::created_at.desc(), sessions::id));
            let columns = (
                sessions::id,
                sessions::client_id,
                sessions::created_at,
                sessions::rotated_at,
                sessions::idle_expires_at,
                sessions::expires_at,
                sessions::device,
            );
            Ok(live.select(columns).limit(1000).load(connection)?)
        })
    }

    /// Ends an account's sessions but one: those that ended.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn end_other_sessions(
        &self,
        user_id: &str,
        kept: &str,
        now: Timestamp,
        revoked_until: Timestamp,
    ) -> Result<SessionsEnded, StorageError> {
        let (user_id, kept) = (user_id.to_owned(), kept.to_owned());
        self.write_revoking(move |connection| {
            let end = End { now, reason: EndReason::Revoked, revoked_until };
            // Tokens of the previous issuer are no longer exchanged either.
            diesel::update(users::table.find(&user_id))
                .set(users::password_set_at.eq(now.0))
                .execute(connection)?;
            let ended = end_others(connection, &user_id, &kept, end)?;
            let event = Event::of(Action::SessionEnded).by(Actor::User(user_id.clone())).user(&user_id);
            let event = (ended.count > 0).then(|| event.detail(ended.detail()));
            Ok((ended, event))
        })
    }
}
