//! Numbers that grow with every change: how replicas and verifiers learn of what happened.

use std::time::Duration;

use diesel::prelude::*;
use shared_claims::revocations::Position;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::counters;
use super::{Storage, listener, poll};
use crate::audit::{Action, Event};

/// Numbers that grow with every change, so that replicas learn of each other's writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCounters {
    pub keys: i64,
    pub clients: i64,
    pub revocations: i64,
    /// Names the history that `revocations` counts in; it only grows.
    pub epoch: i64,
    /// No change, but read with them: the longest life that an access token was ever set to here, in
    /// milliseconds.
    pub longest_token: i64,
}

impl ChangeCounters {
    /// How far the revocations have come.
    #[must_use]
    pub fn revocations_position(&self) -> Position {
        Position { epoch: number(self.epoch), seq: number(self.revocations) }
    }

    /// How far the keys have come, in the same history.
    #[must_use]
    pub fn keys_position(&self) -> Position {
        Position { epoch: number(self.epoch), seq: number(self.keys) }
    }
}

fn number(counter: i64) -> u64 {
    u64::try_from(counter).unwrap_or(0)
}

impl Storage {
    /// The counters, of a server that takes writes: one that does not may never learn of what happens elsewhere.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn change_counters(&self) -> Result<ChangeCounters, StorageError> {
        let rows = self.look(poll::counters)?;
        let value = |name: &str| rows.iter().find(|row| row.0 == name).map_or(0, |row| row.1);
        Ok(ChangeCounters {
            keys: value("keys"),
            clients: value("clients"),
            revocations: value("revocations"),
            epoch: value("epoch"),
            longest_token: value("longest_token"),
        })
    }

    /// Makes known how long this process lets access tokens live; it is never lowered, for tokens of the
    /// longer life may be on their way.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn raise_longest_token(&self, life: Duration) -> Result<(), StorageError> {
        let milliseconds = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
        self.write(move |connection| {
            let shorter = counters::table.find("longest_token").filter(counters::value.lt(milliseconds));
            diesel::update(shorter).set(counters::value.eq(milliseconds)).execute(connection)?;
            Ok(())
        })
    }

    /// Begins a new history of revocations and keys, after a backup was restored: verifiers ask for everything again,
    /// whatever numbers they had come to. `step` is random, at least 1: two restores of one backup begin two histories.
    /// No clock decides, for one that was wrong would once have decided for ever. Returns the new epoch.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn begin_epoch(&self, step: i64) -> Result<u64, StorageError> {
        self.write_audited(move |connection| {
            let epoch = count_up_by(connection, "epoch", step)?;
            let event = Event::of(Action::BackupRestored).detail(format!("epoch {epoch}"));
            Ok((number(epoch), Some(event)))
        })
    }
}

/// The next value of a counter, in the transaction of the change that it counts. Its row lock makes
/// the numbers of committed changes gapless, and the changes themselves one after the other. Replicas on
/// PostgreSQL are notified with the commit.
pub(super) fn count_up(connection: &mut AnyConnection, name: &str) -> Result<i64, StorageError> {
    count_up_by(connection, name, 1)
}

/// The same for several changes at once: the last of their numbers.
pub(super) fn count_up_by(
    connection: &mut AnyConnection,
    name: &str,
    count: i64,
) -> Result<i64, StorageError> {
    listener::tell_others(connection)?;
    Ok(diesel::update(counters::table.find(name))
        .set(counters::value.eq(counters::value + count))
        .returning(counters::value)
        .get_result(connection)?)
}
