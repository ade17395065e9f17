use std::collections::HashMap;

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::login_failures;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::users::{Attempt, Limited};

/// Counts that are deleted in one step.
const PAGE: i64 = 500;

impl Storage {
    /// Where the counts of an attempt stand.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn failures_of(&self, attempt: &Attempt) -> Result<Vec<(String, Timestamp)>, StorageError> {
        let counts = attempt.counts.iter().map(|count| count.id.as_str());
        let ids: Vec<&str> = counts.chain(attempt.known.as_deref()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<(String, i64)> = self.read(|connection| {
            Ok(login_failures::table.filter(login_failures::id.eq_any(ids)).load(connection)?)
        })?;
        Ok(rows.into_iter().map(|(id, until)| (id, Timestamp(until))).collect())
    }

    /// Writes an audit entry for what changes nothing else: a refusal, or an exchange.
    ///
    /// # Errors
    /// [`StorageError`]: what cannot be written down must not be answered by more than that.
    pub fn note(&self, event: Event) -> Result<(), StorageError> {
        self.write_audited(move |_| Ok(((), Some(event))))
    }

    /// Counts an attempt as failed before it is made; returns why it is refused when there were too many, and counts nothing
    /// then. However many are made at one moment, no more are allowed; what cannot be counted is not tried.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn begin_attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<Option<Limited>, StorageError> {
        // Most of a flood ends here, without a row that is written.
        let read: HashMap<String, Timestamp> = self.failures_of(attempt)?.into_iter().collect();
        let limited = attempt.limited(|id| read.get(id).copied(), now);
        if limited.is_some() || attempt.counts.is_empty() {
            return Ok(limited);
        }
        let attempt = attempt.clone();
        self.write(move |connection| {
            // Also those that were there a moment ago: the sweep may have taken them away since.
            attempt.counts.iter().try_for_each(|count| insert(connection, &count.id, 0).map(drop))?;
            let locked = lock(connection, &attempt)?;
            let stand = |id: &str| locked.get(id).or_else(|| read.get(id)).copied();
            let limited = attempt.limited(stand, now);
            if limited.is_none() {
                attempt.counts.iter().try_for_each(|count| {
                    let until = attempt.failed(count, locked.get(&count.id).copied(), now);
                    set(connection, &count.id, until).map(drop)
                })?;
            }
            Ok(limited)
        })
    }

    /// Revokes what [`Self::begin_attempt`] has counted: it was no failure.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn give_back(&self, attempt: &Attempt) -> Result<(), StorageError> {
        if attempt.counts.is_empty() {
            return Ok(());
        }
        let attempt = attempt.clone();
        self.write(move |connection| give_back(connection, &attempt))
    }

    /// Deletes some of the counts that mean nothing any more, and says how many.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn sweep_failures(&self, now: Timestamp) -> Result<usize, StorageError> {
        let past = login_failures::table.filter(login_failures::until.lt(now.0));
        let ids: Vec<String> =
            self.read(|connection| Ok(past.select(login_failures::id).limit(PAGE).load(connection)?))?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.write(move |connection| {
            let past = login_failures::table.filter(login_failures::id.eq_any(ids));
            Ok(diesel::delete(past.filter(login_failures::until.lt(now.0))).execute(connection)?)
        })
    }
}

/// The same in the transaction of what has succeeded.
pub(super) fn give_back(connection: &mut AnyConnection, attempt: &Attempt) -> Result<(), StorageError> {
    let locked = lock(connection, attempt)?;
    for count in &attempt.counts {
        if let Some(until) = locked.get(&count.id) {
            set(connection, &count.id, attempt.given_back(count, *until))?;
        }
    }
    Ok(())
}

/// Deletes counts: how many there were.
pub(super) fn forget(connection: &mut AnyConnection, ids: &[String]) -> Result<usize, StorageError> {
    Ok(diesel::delete(login_failures::table.filter(login_failures::id.eq_any(ids))).execute(connection)?)
}

/// Where the counts of an attempt stand, until the end of the transaction: in one order, or two logins could each wait
/// for the other.
fn lock(
    connection: &mut AnyConnection,
    attempt: &Attempt,
) -> Result<HashMap<String, Timestamp>, StorageError> {
    let ids: Vec<&str> = attempt.counts.iter().map(|count| count.id.as_str()).collect();
    let counts = login_failures::table.filter(login_failures::id.eq_any(ids)).order(login_failures::id);
    let rows: Vec<(String, i64)> = match connection {
        AnyConnection::Postgres(connection) => counts.for_update().load(connection)?,
        AnyConnection::Sqlite(connection) => counts.load(connection)?,
    };
    Ok(rows.into_iter().map(|(id, until)| (id, Timestamp(until))).collect())
}

/// Says how many there were: none or one.
fn set(connection: &mut AnyConnection, id: &str, until: Timestamp) -> Result<usize, StorageError> {
    let row = login_failures::table.find(id);
    Ok(diesel::update(row).set(login_failures::until.eq(until.0)).execute(connection)?)
}

/// Remembers that the owner of an account was at a network.
pub(super) fn remember(
    connection: &mut AnyConnection,
    id: &str,
    until: Timestamp,
) -> Result<(), StorageError> {
    if set(connection, id, until)? == 0 {
        // When another login has come in between, it has remembered the same.
        insert(connection, id, until.0)?;
    }
    Ok(())
}

fn insert(connection: &mut AnyConnection, id: &str, until: i64) -> Result<usize, StorageError> {
    let row = (login_failures::id.eq(id), login_failures::until.eq(until));
    Ok(match connection {
        AnyConnection::Postgres(connection) => diesel::insert_into(login_failures::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
        AnyConnection::Sqlite(connection) => diesel::insert_into(login_failures::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
    })
}
