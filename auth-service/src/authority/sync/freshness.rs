//! How old what memory knows is, and what that forbids.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};

/// Longest time since the last look for which memory answers whether a token was revoked.
const FRESH: Duration = Duration::from_secs(2);

/// Time since the last look after which there is no use in waiting, whatever keeps the next one.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// Longest wait for one look at the counters. A database that is gone says so; one that is frozen keeps its
/// connections open and says nothing, and nothing ends the wait for it.
const SILENCE: Duration = Duration::from_millis(750);

impl Authority {
    /// Whether memory knows what other replicas have revoked: what cannot be known must not be called valid.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn check_fresh(&self) -> Result<()> {
        if self.is_fresh() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "the database was not seen for a while"))
    }

    /// Whether a token may be issued by what memory knows of clients and keys: either may be out of date.
    ///
    /// # Errors
    /// `Unavailable` when the database was not seen for too long.
    pub(crate) fn check_may_issue_from_memory(&self) -> Result<()> {
        if self.sees_the_database_often_enough() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            "the database was not seen for longer than tokens.offline_issuing",
        ))
    }

    pub(crate) fn sees_the_database_often_enough(&self) -> bool {
        self.sync.age() <= self.policy.offline_issuing
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.sync.age() <= FRESH
    }

    /// Whether waiting for the database is pointless: callers get 503.
    pub(crate) fn database_is_silent(&self) -> bool {
        self.sync.has_waited() > SILENCE || self.sync.age() > GIVEN_UP
    }

    pub(crate) fn database_answers(&self) -> bool {
        self.sync.storage_answers.load(Ordering::Relaxed) && self.is_fresh() && !self.database_is_silent()
    }

    pub(super) fn probe_writes(&self) -> Result<()> {
        let probed = self.storage.probe_writes();
        match &probed {
            Ok(()) => self.sync.failed_probes.store(0, Ordering::Relaxed),
            Err(_) => drop(self.sync.failed_probes.fetch_add(1, Ordering::Relaxed)),
        }
        Ok(probed?)
    }

    /// Whether this replica can do its work: a key signs, writes go through, and the database answered when last asked.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn check_ready(&self) -> std::result::Result<(), &'static str> {
        if self.sync.feeds.is_closing() {
            return Err("this replica is about to stop");
        }
        if self.issuer.keys.ring().any_signer().is_none() {
            return Err("no signing key is active");
        }
        if !self.database_answers() {
            return Err("the database does not answer");
        }
        // One may meet a long transaction.
        if self.sync.failed_probes.load(Ordering::Relaxed) > 1 {
            return Err("the database takes no writes");
        }
        Ok(())
    }
}
