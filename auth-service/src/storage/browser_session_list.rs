//! Browser sessions as operators and their users see them.

use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Storage;
use super::error::StorageError;
use super::schema::{browser_sessions, users};
use crate::browser_sessions::UnendedBrowserSession;
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

/// A browser session that has not ended, idle or not, with the name of its user. Times are in milliseconds since the epoch.
#[derive(Debug, Clone, Queryable)]
pub struct BrowserSessionSummary {
    pub id: String,
    pub user_id: String,
    pub username: String,
    pub auth_time: i64,
    pub amr: String,
    pub created_at: i64,
    pub idle_expires_at: i64,
    pub expires_at: i64,
    pub device: Option<String>,
}

impl BrowserSessionSummary {
    /// When the user has to log in again unless the browser is used before, in seconds since the epoch.
    #[must_use]
    pub fn expires_at_seconds(&self) -> i64 {
        self.idle_expires_at.min(self.expires_at) / 1000
    }
}

/// A page of them, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct BrowserSessionPage {
    pub user_id: Option<String>,
    /// Only those after this ID.
    pub after: String,
    pub limit: u32,
}

impl Storage {
    /// # Errors
    /// [`StorageError`].
    pub fn browser_sessions_page(
        &self,
        page: &BrowserSessionPage,
        now: Timestamp,
    ) -> Result<Vec<BrowserSessionSummary>, StorageError> {
        let of_user = browser_sessions::user_id.nullable().eq(page.user_id.as_deref()).assume_not_null();
        let found = browser_sessions::table
            .inner_join(users::table)
            .filter(browser_sessions::ended_at.is_null())
            .filter(browser_sessions::expires_at.gt(now.0))
            .filter(of_user.or(page.user_id.is_none().into_sql::<Bool>()))
            .filter(browser_sessions::id.gt(&page.after))
            .order(browser_sessions::id)
            .limit(page.limit.into())
            .select((
                browser_sessions::id,
                browser_sessions::user_id,
                users::username,
                browser_sessions::auth_time,
                browser_sessions::amr,
                browser_sessions::created_at,
                browser_sessions::idle_expires_at,
                browser_sessions::expires_at,
                browser_sessions::device,
            ));
        self.read(|connection| Ok(found.load(connection)?))
    }

    /// Those of `ids` that have not ended, idle or not. Their secrets are for the caller to compare.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn unended_browser_sessions(
        &self,
        ids: &[String],
        now: Timestamp,
    ) -> Result<Vec<UnendedBrowserSession>, StorageError> {
        let found = browser_sessions::table
            .inner_join(users::table)
            .filter(browser_sessions::id.eq_any(ids))
            .filter(browser_sessions::ended_at.is_null())
            .filter(browser_sessions::expires_at.gt(now.0))
            .select((
                browser_sessions::id,
                browser_sessions::user_id,
                users::username,
                browser_sessions::secret_hash,
            ));
        let rows: Vec<(String, String, String, Vec<u8>)> =
            self.read(|connection| Ok(found.load(connection)?))?;
        let unended = |(id, user_id, username, hash)| UnendedBrowserSession {
            id,
            user_id,
            username,
            secret: HashedSecret::from_stored(hash),
        };
        Ok(rows.into_iter().map(unended).collect())
    }
}
