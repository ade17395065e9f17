//! What is held in memory, kept in step with the database: keys, clients, revocations.
//!
//! One thread looks a few times a second whether a change counter has moved, which is one small
//! read; only then is anything loaded. So replicas, and the command line, need not talk to each other.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::authority::Authority;
use crate::authority::sync::Documents;
use crate::background::{Background, caught};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::feeds::Feeds;
use crate::storage::{ChangeCounters, Listener};
use crate::verifiers::VerifierRegistry;

/// How often the counters are looked at, at least: what this process writes, and on PostgreSQL what others
/// write, makes it look at once.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often it is tried whether writes go through.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Longest time since the last look for which memory answers whether a token was revoked.
const FRESH: Duration = Duration::from_secs(2);

/// Time since the last look after which there is no use in waiting, whatever keeps the next one.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// Longest wait for one look at the counters. A database that is gone says so; one that is frozen keeps its
/// connections open and says nothing, and nothing ends the wait for it.
const SILENCE: Duration = Duration::from_millis(750);

/// What the memory holds, as the counters stood when it was loaded.
pub struct SyncState {
    last: Mutex<Option<(ChangeCounters, Timestamp)>>,
    /// When the revocations were last in step, by a clock that only goes forward.
    looked: ArcSwapOption<Instant>,
    /// When the look that is under way has begun.
    asked: ArcSwapOption<Instant>,
    polls: AtomicU64,
    wake: SyncSender<Signal>,
    signals: Mutex<Option<Receiver<Signal>>>,
    pub feeds: Feeds,
    pub(crate) verifiers: VerifierRegistry,
    pub(crate) documents: Documents,
    /// The longest life of a token, in milliseconds, as the database has it, with the time that verifiers allow.
    pub(crate) longest_token: AtomicU64,
    /// Whether the database answered when it was last asked.
    storage_answers: AtomicBool,
    /// Probes of writes that have failed in a row.
    failed_probes: AtomicU32,
}

enum Signal {
    PollNow,
    Stop,
}

impl Default for SyncState {
    fn default() -> Self {
        let (wake, signals) = sync_channel(1);
        let last = Mutex::new(None);
        let (looked, asked) = (ArcSwapOption::empty(), ArcSwapOption::empty());
        Self {
            last,
            looked,
            asked,
            polls: AtomicU64::new(0),
            wake,
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
    fn looked(&self) {
        self.looked.store(Some(Arc::new(Instant::now())));
    }

    pub fn age(&self) -> Duration {
        self.looked.load().as_ref().map_or(Duration::MAX, |looked| looked.elapsed())
    }

    /// Number of the last poll that has begun.
    pub fn polls_begun(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }

    fn asking<T>(&self, look: impl FnOnce() -> T) -> T {
        self.asked.store(Some(Arc::new(Instant::now())));
        let answer = look();
        self.asked.store(None);
        answer
    }

    fn has_waited(&self) -> Duration {
        self.asked.load().as_ref().map_or(Duration::ZERO, |asked| asked.elapsed())
    }

    /// Something was written here: look at once instead of at the next interval.
    pub fn wake(&self) {
        // A full channel means that a look is about to happen anyway.
        let _ = self.wake.try_send(Signal::PollNow);
    }
}

/// The thread that keeps the state in memory in step with the database.
pub struct StateSync {
    authority: Arc<Authority>,
    thread: Option<JoinHandle<()>>,
    _verifiers: Background,
    _write_probe: Background,
    _listener: Option<Listener>,
}

impl StateSync {
    /// # Errors
    /// `Internal` if no thread can be started, or the state sync runs already.
    pub fn start(authority: Arc<Authority>) -> Result<Self> {
        let internal = |cause: &str| Error::new(ErrorKind::Internal, cause);
        let signals = authority.sync.signals.lock().unwrap_or_else(PoisonError::into_inner).take();
        let signals = signals.ok_or_else(|| internal("the state sync runs already"))?;
        let for_thread = Arc::clone(&authority);
        let thread = thread::Builder::new()
            .name("state-sync".to_owned())
            .spawn(move || keep(&for_thread, &signals))
            .map_err(|error| internal(&error.to_string()))?;
        let told = Arc::clone(&authority);
        let listener = authority.storage.listen(move || told.sync.wake())?;
        let verifiers = super::verifiers::keep(Arc::clone(&authority))?;
        let probed = Arc::clone(&authority);
        let write_probe =
            Background::start("write-probe", PROBE_INTERVAL, move |_| probed.probe_writes(), || {})?;
        let (thread, _verifiers, _write_probe, _listener) = (Some(thread), verifiers, write_probe, listener);
        Ok(Self { authority, thread, _verifiers, _write_probe, _listener })
    }

    pub fn stop(mut self) {
        let _ = self.authority.sync.wake.send(Signal::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the state sync thread panicked");
        }
    }
}

fn keep(authority: &Authority, signals: &Receiver<Signal>) {
    let mut last_failure: Option<String> = None;
    loop {
        match signals.recv_timeout(INTERVAL) {
            Ok(Signal::PollNow) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        // A defect must not stop the clock of everything: the next look may go well.
        match caught("state-sync", || authority.refresh_state()) {
            Ok(()) => {
                authority.sync.storage_answers.store(true, Ordering::Relaxed);
                if last_failure.take().is_some() {
                    tracing::info!("the state in memory matches the database again");
                }
            }
            Err(error) => {
                let away = error.kind == ErrorKind::Unavailable;
                authority.sync.storage_answers.store(!away, Ordering::Relaxed);
                // Once, not four times a second.
                if last_failure.as_ref() != Some(&error.cause) {
                    error.log();
                    last_failure = Some(error.cause);
                }
            }
        }
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
        self.maintain_keys(now)?;
        self.notify();
        *last = Some((counters, now));
        Ok(())
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

    fn probe_writes(&self) -> Result<()> {
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

    pub(crate) fn reload_clients_if_changed(&self, counters: ChangeCounters) -> Result<()> {
        if counters.clients != self.clients.version() {
            let (clients, audiences) = (self.storage.all_clients()?, self.storage.all_audiences()?);
            self.clients.replace(counters.clients, clients, audiences);
        }
        Ok(())
    }
}
