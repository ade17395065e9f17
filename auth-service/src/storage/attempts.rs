use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;

use super::Storage;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::login_failures;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::users::{Attempt, Count};

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

    /// Counts a login that failed, and writes it down.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn note_failure(&self, attempt: &Attempt, event: Event, now: Timestamp) -> Result<(), StorageError> {
        let attempt = attempt.clone();
        self.write_audited(move |connection| {
            attempt.counts.iter().try_for_each(|count| move_on(connection, &attempt, count, now))?;
            Ok(((), Some(event)))
        })
    }

    /// Counts something that is allowed only so often, whatever comes of it; says how long to wait when it was too
    /// often, and counts nothing then. However many ask at one moment, no more are allowed.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn take_attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<Option<Duration>, StorageError> {
        let attempt = attempt.clone();
        self.write(move |connection| {
            let stand = |connection: &mut AnyConnection, id: &String| {
                insert(connection, id, 0)?;
                Ok((id.clone(), look(connection, id)?.map_or(Timestamp(0), Timestamp)))
            };
            let ids = attempt.counts.iter().map(|count| &count.id);
            let stands: HashMap<String, Timestamp> =
                ids.map(|id| stand(connection, id)).collect::<Result<_, StorageError>>()?;
            let wait = attempt.wait(|id| stands.get(id).copied(), now);
            if wait.is_none() {
                attempt.counts.iter().try_for_each(|count| {
                    let until = attempt.failed(count, stands.get(&count.id).copied(), now);
                    set(connection, &count.id, until).map(drop)
                })?;
            }
            Ok(wait)
        })
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

fn move_on(
    connection: &mut AnyConnection,
    attempt: &Attempt,
    count: &Count,
    now: Timestamp,
) -> Result<(), StorageError> {
    let touched = look(connection, &count.id)?;
    let until = attempt.failed(count, touched.map(Timestamp), now);
    match touched {
        Some(_) => set(connection, &count.id, until)?,
        None if insert(connection, &count.id, until.0)? > 0 => 1,
        // Another first failure came in between: it is there to be moved on now.
        None => return move_on(connection, attempt, count, now),
    };
    Ok(())
}

/// Where a count stands. Written first: the row's lock makes the look and the change one step.
fn look(connection: &mut AnyConnection, id: &str) -> Result<Option<i64>, StorageError> {
    Ok(diesel::update(login_failures::table.find(id))
        .set(login_failures::until.eq(login_failures::until + 0))
        .returning(login_failures::until)
        .get_result(connection)
        .optional()?)
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
