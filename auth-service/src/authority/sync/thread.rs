use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::state::Signal;
use crate::authority::Authority;
use crate::background::{Background, caught};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Listener;

/// How often the counters are looked at, at least: what this process writes, and on PostgreSQL what others
/// write, makes it look at once.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often it is tried whether writes go through.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

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
