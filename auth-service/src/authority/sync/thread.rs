use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::authority::Authority;
use crate::background::{Background, Schedule};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Listener;

/// Longest time between two polls of the change counters: what this process writes, and on PostgreSQL what others
/// write, starts one at once.
const INTERVAL: Duration = Duration::from_millis(250);

const RECOVERED: &str = "the state in memory matches the database again";

/// Time between two tests whether writes succeed.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The threads that keep the state in memory up to date with the database. They end when this is dropped.
pub struct StateSync {
    _polls: Background,
    _verifiers: Background,
    _write_probe: Background,
    _listener: Option<Listener>,
}

impl StateSync {
    /// # Errors
    /// `Internal` if no thread can be started, or the state sync runs already.
    pub fn start(authority: &Arc<Authority>) -> Result<Self> {
        let polls = start_polls(Arc::clone(authority))?;
        let woken = Arc::clone(authority);
        let listener = authority.storage.listen(move || woken.sync.wake())?;
        let verifiers = super::verifiers::keep(Arc::clone(authority))?;
        let probed = Arc::clone(authority);
        let schedule = Schedule::every("write-probe", PROBE_INTERVAL, "the database can be probed again");
        let write_probe = Background::start(schedule, move |_| probed.probe_writes(), |_| {})?;
        Ok(Self { _polls: polls, _verifiers: verifiers, _write_probe: write_probe, _listener: listener })
    }
}

fn start_polls(authority: Arc<Authority>) -> Result<Background> {
    let signals = authority.sync.signals.lock().unwrap_or_else(PoisonError::into_inner).take();
    let signals = signals.ok_or_else(|| Error::new(ErrorKind::Internal, "the state sync runs already"))?;
    let polled = Arc::clone(&authority);
    let ended = move |result: &Result<()>| {
        let away = result.as_ref().is_err_and(|error| error.kind == ErrorKind::Unavailable);
        authority.sync.storage_answers.store(!away, Ordering::Relaxed);
    };
    let schedule = Schedule { name: "state-sync", interval: INTERVAL, signals, recovered: RECOVERED };
    Background::start(schedule, move |_| polled.refresh_state(), ended)
}
