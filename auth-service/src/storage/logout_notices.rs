//! Clients that have to be told that a browser session has ended (OpenID Connect Back-Channel Logout). A notice is stored in
//! the transaction that ends the session, so that none is lost, and deleted when its client has answered.

use std::time::Duration;

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{clients, logout_notices, sessions};
use crate::clock::Timestamp;

/// Notices that are taken at one time.
const BATCH: i64 = 64;

/// A notice that is due.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = logout_notices)]
pub struct LogoutNotice {
    pub client_id: String,
    pub browser_session_id: String,
    /// The user whose session it was.
    pub user_id: String,
    /// When the session ended, in milliseconds since the epoch.
    pub created_at: i64,
    /// How often it was tried to send it.
    pub attempts: i64,
    pub next_attempt_at: i64,
}

impl Storage {
    /// Takes notices that are due, for `lease`: until then no other replica takes them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn take_logout_notices(
        &self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<LogoutNotice>, StorageError> {
        let due = logout_notices::table
            .filter(logout_notices::next_attempt_at.le(now.0))
            .order(logout_notices::next_attempt_at)
            .limit(BATCH)
            .select(LogoutNotice::as_select());
        // Most of the time there is nothing to write.
        let due: Vec<LogoutNotice> = self.look(|connection| Ok(due.load(connection)?))?;
        if due.is_empty() {
            return Ok(due);
        }
        self.write(move |connection| {
            let mut taken = Vec::new();
            for notice in due {
                // As it was seen: another replica was quicker, or it was sent meanwhile.
                let unchanged = logout_notices::table
                    .find((&notice.client_id, &notice.browser_session_id))
                    .filter(logout_notices::next_attempt_at.eq(notice.next_attempt_at));
                let set = (
                    logout_notices::next_attempt_at.eq(now.plus(lease).0),
                    logout_notices::attempts.eq(logout_notices::attempts + 1),
                );
                if diesel::update(unchanged).set(set).execute(connection)? > 0 {
                    taken.push(LogoutNotice {
                        attempts: notice.attempts + 1,
                        next_attempt_at: now.plus(lease).0,
                        ..notice
                    });
                }
            }
            Ok(taken)
        })
    }

    /// What became of notices that were taken: sent, or to be tried again at a time.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn settle_logout_notices(
        &self,
        outcomes: Vec<(LogoutNotice, Option<Timestamp>)>,
    ) -> Result<(), StorageError> {
        self.write(move |connection| {
            for (notice, again) in outcomes {
                let taken = logout_notices::table
                    .find((notice.client_id, notice.browser_session_id))
                    .filter(logout_notices::next_attempt_at.eq(notice.next_attempt_at));
                match again {
                    None => diesel::delete(taken).execute(connection)?,
                    Some(at) => diesel::update(taken)
                        .set(logout_notices::next_attempt_at.eq(at.0))
                        .execute(connection)?,
                };
            }
            Ok(())
        })
    }

    /// Whether a notice waits.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn awaits_logout_notice(
        &self,
        client_id: &str,
        browser_session_id: &str,
    ) -> Result<bool, StorageError> {
        let notice = logout_notices::table.find((client_id, browser_session_id));
        let any = diesel::select(diesel::dsl::exists(notice));
        self.read(|connection| Ok(any.get_result(connection)?))
    }

    /// Notices that wait, and when the oldest of them was stored.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn waiting_logout_notices(&self) -> Result<(i64, Option<Timestamp>), StorageError> {
        self.look(|connection| {
            let count = logout_notices::table.count().get_result(connection)?;
            let oldest: Option<i64> = logout_notices::table
                .select(diesel::dsl::min(logout_notices::created_at))
                .first(connection)?;
            Ok((count, oldest.map(Timestamp)))
        })
    }
}

/// A notice for each client that was logged in at by a browser session and wants to be told.
pub(super) fn add(
    connection: &mut AnyConnection,
    browser_session_ids: &[String],
    now: Timestamp,
) -> Result<(), StorageError> {
    if browser_session_ids.is_empty() {
        return Ok(());
    }
    let told = sessions::table
        .inner_join(clients::table.on(clients::id.eq(sessions::client_id)))
        .filter(sessions::browser_session_id.eq_any(browser_session_ids))
        .filter(clients::backchannel_logout_uri.is_not_null())
        .select((sessions::client_id, sessions::browser_session_id.assume_not_null(), sessions::user_id))
        .distinct();
    let told: Vec<(String, String, String)> = told.load(connection)?;
    let notice = |(client_id, browser_session_id, user_id)| LogoutNotice {
        client_id,
        browser_session_id,
        user_id,
        created_at: now.0,
        attempts: 0,
        next_attempt_at: now.0,
    };
    for notice in told.into_iter().map(notice) {
        let insert = diesel::insert_into(logout_notices::table).values(notice);
        match connection {
            AnyConnection::Sqlite(connection) => insert.on_conflict_do_nothing().execute(connection)?,
            AnyConnection::Postgres(connection) => insert.on_conflict_do_nothing().execute(connection)?,
        };
    }
    Ok(())
}
