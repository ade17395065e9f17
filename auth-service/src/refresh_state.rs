//! What is held in memory, kept in step with the database: keys, clients, revocations.
//!
//! One thread looks a few times a second whether a change counter has moved, which is one small
//! read; only then is anything loaded. So replicas, and the command line, need not talk to each other.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Algorithm, SigningKey, needed_key, rotation_due, successor};
use crate::storage::{ChangeCounters, StorageError};

/// How often the counters are looked at. A revocation reaches a verifier within this time and the
/// verifier's own interval, together less than a second.
const INTERVAL: Duration = Duration::from_millis(250);

/// What the memory holds, as the counters stood when it was loaded.
pub(crate) struct SeenChanges {
    counters: Mutex<Option<ChangeCounters>>,
    wake: SyncSender<Signal>,
    signals: Mutex<Option<Receiver<Signal>>>,
}

enum Signal {
    LookNow,
    Stop,
}

impl SeenChanges {
    pub fn new() -> Self {
        let (wake, signals) = sync_channel(1);
        Self { counters: Mutex::new(None), wake, signals: Mutex::new(Some(signals)) }
    }

    /// Something was written here: look at once instead of at the next interval.
    pub fn wake(&self) {
        // A full channel means that a look is about to happen anyway.
        let _ = self.wake.try_send(Signal::LookNow);
    }
}

/// The thread that keeps the memory in step; stops when told to.
pub struct Keeper {
    authority: Arc<Authority>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// # Errors
    /// `Internal` when the system gives no thread, or for a second keeper.
    pub fn start(authority: Arc<Authority>) -> Result<Self> {
        let internal = |cause: &str| Error::new(ErrorKind::Internal, cause);
        let signals = authority.seen.signals.lock().unwrap_or_else(PoisonError::into_inner).take();
        let signals = signals.ok_or_else(|| internal("there is a keeper already"))?;
        let for_thread = Arc::clone(&authority);
        let thread = thread::Builder::new()
            .name("keeper".to_owned())
            .spawn(move || keep(&for_thread, &signals))
            .map_err(|error| internal(&error.to_string()))?;
        Ok(Self { authority, thread: Some(thread) })
    }

    pub fn stop(mut self) {
        let _ = self.authority.seen.wake.send(Signal::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper thread panicked");
        }
    }
}

fn keep(authority: &Authority, signals: &Receiver<Signal>) {
    let mut last_failure: Option<String> = None;
    loop {
        match signals.recv_timeout(INTERVAL) {
            Ok(Signal::LookNow) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        match authority.refresh_state() {
            Ok(()) => {
                authority.storage_answers.store(true, Ordering::Relaxed);
                if last_failure.take().is_some() {
                    tracing::info!("the memory is in step with the database again");
                }
            }
            Err(error) => {
                let away = error.kind == ErrorKind::Unavailable;
                authority.storage_answers.store(!away, Ordering::Relaxed);
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
    /// Loads what has changed since it was last loaded, and does what the clock asks of the keys.
    ///
    /// # Errors
    /// `Unavailable`; what is in memory stays.
    pub fn refresh_state(&self) -> Result<()> {
        // Counters first: a change in between is seen twice, never missed.
        let counters = self.storage.change_counters()?;
        let mut seen = self.seen.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let changed =
            |of: fn(&ChangeCounters) -> i64| seen.as_ref().is_none_or(|seen| of(seen) != of(&counters));
        let now = self.now();
        if changed(|counters| counters.clients) {
            self.reload_clients()?;
        }
        let key_due = self.keys.ring().next_change.is_some_and(|at| at <= now);
        let keys_changed = changed(|counters| counters.keys) || key_due;
        if keys_changed {
            self.reload_keys(now)?;
        }
        self.tend_keys(now)?;
        let document = self.revocations();
        let entry_expired = document.next_expiry.is_some_and(|at| at <= now);
        if changed(|counters| counters.revocations)
            || keys_changed
            || entry_expired
            || document.jwt.is_empty()
        {
            let live = self.storage.live_revocations(now)?;
            self.publish_revocations(counters.revocations, &live, now)?;
        }
        *seen = Some(counters);
        Ok(())
    }

    /// Whether this replica can do its work: a key signs, and the database answered when last asked.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn check_ready(&self) -> std::result::Result<(), &'static str> {
        if self.keys.ring().any_signer().is_none() {
            return Err("no signing key is active");
        }
        if !self.storage_answers.load(Ordering::Relaxed) {
            return Err("the database does not answer");
        }
        Ok(())
    }

    pub(crate) fn reload_clients(&self) -> Result<()> {
        let (clients, audiences) = (self.storage.all_clients()?, self.storage.all_audiences()?);
        self.clients.replace(clients, audiences);
        Ok(())
    }

    fn reload_keys(&self, now: Timestamp) -> Result<()> {
        let records = self.storage.all_keys()?;
        self.keys.rebuild(records, now).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    /// Makes the keys that are needed or due. Every replica looks; the database lets one act.
    fn tend_keys(&self, now: Timestamp) -> Result<()> {
        let by_audience = self.clients.algorithms();
        for algorithm in Algorithm::ALL {
            let asked = by_audience.contains(&algorithm);
            if algorithm != self.default_algorithm && !asked {
                continue;
            }
            let ring = self.keys.ring();
            if let Some(activates_at) = needed_key(&ring.records, (algorithm, asked), now, &self.key_policy) {
                self.add_key(&generate(algorithm)?, (now, activates_at), KeyReason::Needed { asked })?;
            } else if rotation_due(&ring.records, algorithm, now, &self.key_policy) {
                let activates_at = now.plus(self.key_policy.publish_lead);
                self.add_key(&generate(algorithm)?, (now, activates_at), KeyReason::Scheduled)?;
            }
        }
        Ok(())
    }

    /// Adds a key that signs from `activates_at` on, unless another replica has done so meanwhile.
    /// Returns its `kid`, or `None` when there was nothing to do any more.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` for a key that is there already.
    pub fn add_key(
        &self,
        key: &SigningKey,
        (now, activates_at): (Timestamp, Timestamp),
        reason: KeyReason,
    ) -> Result<Option<String>> {
        let internal = |cause: String| Error::new(ErrorKind::Internal, cause);
        let record = self.keys.record(key, now, activates_at).map_err(|error| internal(error.to_string()))?;
        let (kid, algorithm, policy) = (record.kid.clone(), record.algorithm, self.key_policy);
        let added = self.storage.add_key(move |records| {
            let wanted = match reason {
                KeyReason::Needed { asked } => {
                    needed_key(records, (algorithm, asked), now, &policy).is_some()
                }
                KeyReason::Scheduled => rotation_due(records, algorithm, now, &policy),
                KeyReason::ByHand => true,
            };
            wanted.then(|| (record, successor(records, algorithm, (now, activates_at), &policy)))
        });
        match added {
            Ok(added) => {
                // Also when another replica was quicker: its key is the one that is needed here.
                self.reload_keys(now)?;
                if added {
                    tracing::info!(kid, %algorithm, activates_in_s = activates_at.distance(now).as_secs(), "key added");
                }
                Ok(added.then_some(kid))
            }
            Err(StorageError::Taken) => Err(Error::new(
                ErrorKind::InvalidRequest("the key is in the ring already"),
                "key imported twice",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

/// Why a key is added: what is checked again under the database's lock.
#[derive(Debug, Clone, Copy)]
pub enum KeyReason {
    Needed { asked: bool },
    Scheduled,
    ByHand,
}

fn generate(algorithm: Algorithm) -> Result<SigningKey> {
    SigningKey::generate(algorithm).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}
