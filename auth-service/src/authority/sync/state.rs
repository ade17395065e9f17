//! What is held in memory, kept in step with the database: keys, clients, revocations.
//!
//! One thread looks a few times a second whether a change counter has moved, which is one small
//! read; only then is anything loaded. So replicas, and the command line, need not talk to each other.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::authority::Authority;
use crate::authority::sync::Documents;
use crate::background::{Signals, TaskWaker};
use crate::clients::Registry;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::feeds::Feeds;
use crate::storage::ChangeCounters;
use crate::verifiers::VerifierRegistry;

/// What the memory holds, as the counters stood when it was loaded.
pub struct SyncState {
    pub(super) last: Mutex<Option<(ChangeCounters, Timestamp)>>,
    /// When the revocations were last in step, by a clock that only goes forward.
    looked: ArcSwapOption<Instant>,
    /// When the look that is under way has begun.
    asked: ArcSwapOption<Instant>,
    pub(super) polls: AtomicU64,
    pub(super) waker: TaskWaker,
    /// Taken by the thread that polls.
    pub(super) signals: Mutex<Option<Signals>>,
    pub feeds: Feeds,
    pub(crate) verifiers: VerifierRegistry,
    pub(crate) documents: Documents,
    /// The longest life of a token, in milliseconds, as the database has it, with the time that verifiers allow.
    pub(crate) longest_token: AtomicU64,
    /// Whether the database answered when it was last asked.
    pub(super) storage_answers: AtomicBool,
    /// Probes of writes that have failed in a row.
    pub(super) failed_probes: AtomicU32,
}

impl Default for SyncState {
    fn default() -> Self {
        let signals = Signals::default();
        let waker = signals.waker();
        let last = Mutex::new(None);
        let (looked, asked) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self {
            last,
            looked,
            asked,
            polls: AtomicU64::new(0),
            waker,
            signals: Mutex::new(Some(signals)),
            feeds: Feeds::default(),
            verifiers: VerifierRegistry::default(),
            documents: Documents::default(),
            longest_token: AtomicU64::new(0),
            storage_answers: AtomicBool::new(true),
            failed_probes: AtomicU32::new(0),
        }
    }
}

impl SyncState {
    pub(super) fn looked(&self) {
        self.looked.store(Some(Arc::new(Instant::now())));
    }

    pub fn age(&self) -> Duration {
        self.looked.load().as_ref().map_or(Duration::MAX, |looked| looked.elapsed())
    }

    /// Number of the last poll that has begun.
    pub fn polls_begun(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    pub(super) fn asking<T>(&self, look: impl FnOnce() -> T) -> T {
        self.asked.store(Some(Arc::new(Instant::now())));
        let answer = look();
        self.asked.store(None);
        answer
    }

    pub(super) fn has_waited(&self) -> Duration {
        self.asked.load().as_ref().map_or(Duration::ZERO, |asked| asked.elapsed())
    }

    /// Polls at once instead of after the interval: something was written here.
    pub fn wake(&self) {
        self.waker.wake();
    }
}

impl Authority {
    /// Loads what has changed since it was last loaded, and does what the clock asks of the keys. What was
    /// revoked comes first: no trouble with a key may keep it from being refused.
    ///
    /// # Errors
    /// `Unavailable`; what is in memory stays.
    pub fn refresh_state(&self) -> Result<()> {
        let mut last = self.sync.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (counters, now) = self.load_changes(*last)?;
        self.maintain_keys(now)?;
        self.notify();
        *last = Some((counters, now));
        Ok(())
    }

    /// The same without doing anything to the keys: for commands that only read.
    ///
    /// # Errors
    /// `Unavailable`; what is in memory stays.
    pub fn load_state(&self) -> Result<()> {
        let mut last = self.sync.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(self.load_changes(*last)?);
        Ok(())
    }

    fn load_changes(&self, last: Option<(ChangeCounters, Timestamp)>) -> Result<(ChangeCounters, Timestamp)> {
        let poll = self.sync.polls.fetch_add(1, Ordering::AcqRel) + 1;
        // Counters first: a change in between is seen twice, never missed. One look at a time, or an older one
        // could undo what a newer one has found.
        let counters = self.sync.asking(|| self.storage.change_counters())?;
        let longest_token = u64::try_from(counters.longest_token).unwrap_or_default();
        self.sync.longest_token.store(longest_token, Ordering::Relaxed);
        let now = self.now();
        self.refresh_revocations(counters, now)?;
        self.sync.looked();
        self.notify();
        let key_due = self.issuer.keys.ring().next_change.is_some_and(|at| at <= now);
        if last.is_none_or(|(seen, _)| seen.keys != counters.keys) || key_due {
            self.reload_keys(now)?;
            self.notify();
        }
        self.reload_clients_if_changed(counters)?;
        self.sync.feeds.polled(poll);
        Ok((counters, now))
    }

    /// Wakes all streams and long polls if the state in memory has changed.
    pub(crate) fn notify(&self) {
        self.sync.feeds.publish(self.reader.revocations.position(), self.issuer.keys.ring().etag.clone());
    }

    /// Loads the revocations that are new, and lets go of those that have expired.
    fn refresh_revocations(&self, counters: ChangeCounters, now: Timestamp) -> Result<()> {
        let stored = counters.revocations_position();
        let held = self.reader.revocations.position();
        if held.epoch != stored.epoch
            || stored.seq < held.seq
            || self.reader.revocations.has_let_go_after(now)
        {
            self.reader.revocations.replace(self.storage.live_revocations(now)?, stored, now);
        } else if stored.seq > held.seq {
            let seq = i64::try_from(held.seq).unwrap_or(i64::MAX);
            self.reader.revocations.append(self.storage.revocations_after(seq)?, stored, now);
        }
        self.reader.revocations.sweep_now_and_then(now);
        Ok(())
    }

    pub(crate) fn reload_clients_if_changed(&self, counters: ChangeCounters) -> Result<()> {
        if counters.clients != self.clients.version() {
            let registry = Registry {
                clients: self.storage.all_clients()?,
                audiences: self.storage.all_audiences()?,
                trusted_issuers: self.storage.all_trusted_issuers()?,
                exchange_rules: self.storage.all_exchange_rules()?,
            };
            self.clients.replace(counters.clients, registry);
        }
        Ok(())
    }
}
