use diesel::prelude::*;

use super::schema::browser_sessions;
use super::words;
use crate::browser_sessions::BrowserSession;
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = browser_sessions)]
pub(super) struct BrowserSessionRow {
    pub(super) id: String,
    pub(super) secret_hash: Vec<u8>,
    pub(super) user_id: String,
    pub(super) auth_time: i64,
    pub(super) amr: String,
    created_at: i64,
    pub(super) idle_expires_at: i64,
    pub(super) expires_at: i64,
    ended_at: Option<i64>,
    device: Option<String>,
}

impl BrowserSessionRow {
    pub(super) fn from_session(session: &BrowserSession) -> Self {
        Self {
            id: session.id.clone(),
            secret_hash: session.secret.as_bytes().to_vec(),
            user_id: session.user_id.clone(),
            auth_time: session.auth_time.0,
            amr: session.amr.join(" "),
            created_at: session.created_at.0,
            idle_expires_at: session.idle_expires_at.0,
            expires_at: session.expires_at.0,
            ended_at: None,
            device: session.device.clone(),
        }
    }

    pub(super) fn into_session(self) -> BrowserSession {
        BrowserSession {
            id: self.id,
            secret: HashedSecret::from_stored(self.secret_hash),
            user_id: self.user_id,
            auth_time: Timestamp(self.auth_time),
            amr: words(&self.amr),
            created_at: Timestamp(self.created_at),
            idle_expires_at: Timestamp(self.idle_expires_at),
            expires_at: Timestamp(self.expires_at),
            device: self.device,
        }
    }
}
