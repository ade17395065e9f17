//! Deletes expired rows, a few at a time, by one replica, so that no request waits for it.

use std::time::Duration;

use diesel::dsl::{case_when, exists, not};
use diesel::prelude::*;

use super::Storage;
use super::error::StorageError;
use super::schema::{browser_sessions, consents, counters, device_requests, revocations, sessions};
use crate::clock::Timestamp;

/// Rows that are looked at in one step: a few milliseconds of the writer.
const PAGE: i64 = 500;

/// How far a walk through a table has come, and what it has deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept<P> {
    pub deleted: usize,
    /// Where to go on; `None` at the end.
    pub next: Option<P>,
}

impl Storage {
    /// Claims the sweep for this replica until `interval` has passed. `Ok(false)` if another replica has claimed it.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn take_sweeping_turn(&self, now: Timestamp, interval: Duration) -> Result<bool, StorageError> {
        let next = now.plus(interval).0;
        self.write(move |connection| {
            // A claim further ahead than possible was made by a clock that had jumped.
            let free = counters::value.le(now.0).or(counters::value.gt(next));
            let taken = diesel::update(counters::table.find("sweep").filter(free))
                .set(counters::value.eq(next))
                .execute(connection)?;
            Ok(taken > 0)
        })
    }

    /// Deletes the sessions of one page that expired before an instant, whether they had been ended or not. Their
    /// refresh tokens are refused as expired without them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sweep_sessions(&self, after: &str, before: Timestamp) -> Result<Swept<String>, StorageError> {
        // By the primary key: an index on an end that every refresh moves would cost every refresh.
        let page = sessions::table.filter(sessions::id.gt(after)).order(sessions::id).limit(PAGE).select((
            sessions::id,
            // One that came from a browser stays to its last end: its client is told when that browser session ends.
            case_when(sessions::browser_session_id.is_null(), sessions::idle_expires_at)
                .otherwise(sessions::expires_at),
            sessions::expires_at,
        ));
        let page: Vec<(String, i64, i64)> = self.read(|connection| Ok(page.load(connection)?))?;
        let next = next(&page, |row| row.0.clone());
        let dead = |row: (String, i64, i64)| (row.1.min(row.2) < before.0).then_some(row.0);
        let dead: Vec<String> = page.into_iter().filter_map(dead).collect();
        if dead.is_empty() {
            return Ok(Swept { deleted: 0, next });
        }
        let deleted = self.write(move |connection| {
            let idle = sessions::browser_session_id.is_null().and(sessions::idle_expires_at.lt(before.0));
            let over = idle.or(sessions::expires_at.lt(before.0));
            Ok(diesel::delete(sessions::table.filter(sessions::id.eq_any(dead)).filter(over))
                .execute(connection)?)
        })?;
        Ok(Swept { deleted, next })
    }

    /// Browser sessions that are over and have not been ended: past their last end, or idle and with no session of a client that
    /// is still refreshed. A page of them.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn browser_sessions_to_end(&self, now: Timestamp) -> Result<Vec<String>, StorageError> {
        let in_use = sessions::table
            .filter(sessions::browser_session_id.eq(browser_sessions::id.nullable()))
            .filter(sessions::ended_at.is_null())
            .filter(sessions::offline.eq(false))
            .filter(sessions::idle_expires_at.gt(now.0));
        let idle = browser_sessions::idle_expires_at.le(now.0).and(not(exists(in_use)));
        let over = browser_sessions::table
            .filter(browser_sessions::ended_at.is_null())
            .filter(browser_sessions::expires_at.le(now.0).or(idle))
            .limit(PAGE)
            .select(browser_sessions::id);
        self.read(|connection| Ok(over.load(connection)?))
    }

    /// Deletes a page of each of what a login leaves behind: browser sessions that ended before an instant, consents and device
    /// requests that have expired. How many rows; zero when it is done.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sweep_logins(&self, before: Timestamp) -> Result<usize, StorageError> {
        let ended = browser_sessions::table
            .filter(browser_sessions::ended_at.lt(before.0))
            .limit(PAGE)
            .select(browser_sessions::id);
        let expired = consents::table.filter(consents::expires_at.lt(before.0)).limit(PAGE).select((
            consents::user_id,
            consents::client_id,
            consents::audience,
        ));
        let devices = device_requests::table
            .filter(device_requests::expires_at.lt(before.0))
            .limit(PAGE)
            .select(device_requests::code_hash);
        let (ended, expired, devices) = self.read(|connection| {
            let ended: Vec<String> = ended.load(connection)?;
            let expired: Vec<(String, String, String)> = expired.load(connection)?;
            let devices: Vec<Vec<u8>> = devices.load(connection)?;
            Ok((ended, expired, devices))
        })?;
        if ended.is_empty() && expired.is_empty() && devices.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| {
            let ended = browser_sessions::table.filter(browser_sessions::id.eq_any(ended));
            let devices = device_requests::table.filter(device_requests::code_hash.eq_any(devices));
            let mut deleted = diesel::delete(ended).execute(connection)?;
            deleted += diesel::delete(devices).execute(connection)?;
            for (user, client, audience) in expired {
                let given = consents::table.find((user, client, audience));
                deleted +=
                    diesel::delete(given.filter(consents::expires_at.lt(before.0))).execute(connection)?;
            }
            Ok(deleted)
        })
    }

    /// Deletes the revocations of one page that could no longer match a token at an instant.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sweep_revocations(&self, after: i64, before: Timestamp) -> Result<Swept<i64>, StorageError> {
        let page = revocations::table
            .filter(revocations::seq.gt(after))
            .order(revocations::seq)
            .limit(PAGE)
            .select((revocations::seq, revocations::expires_at));
        let page: Vec<(i64, i64)> = self.read(|connection| Ok(page.load(connection)?))?;
        let next = next(&page, |row| row.0);
        let dead: Vec<i64> =
            page.into_iter().filter_map(|(seq, expires_at)| (expires_at < before.0).then_some(seq)).collect();
        if dead.is_empty() {
            return Ok(Swept { deleted: 0, next });
        }
        let deleted = self.write(move |connection| {
            let over = revocations::table
                .filter(revocations::seq.eq_any(dead))
                .filter(revocations::expires_at.lt(before.0));
            Ok(diesel::delete(over).execute(connection)?)
        })?;
        Ok(Swept { deleted, next })
    }
}

/// A page that is not full is the last one.
fn next<R, P>(page: &[R], position: impl Fn(&R) -> P) -> Option<P> {
    let full = i64::try_from(page.len()).is_ok_and(|rows| rows == PAGE);
    page.last().filter(|_| full).map(position)
}
