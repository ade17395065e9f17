//! Keeps the database from growing for ever: now and then one replica walks through the tables and deletes what
//! has expired, a page at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::measures;

/// Between two pages: requests come first.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a replica asks for its turn, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How far the wall clock may run ahead of the time that has passed: beyond it, what it calls expired may not be.
const MOST_AHEAD: Duration = Duration::from_secs(600);

/// When rows are swept.
#[derive(Debug, Clone, Copy)]
pub struct SweepPolicy {
    /// Between two walks, of whichever replicas.
    pub interval: Duration,
    /// How long a row is kept after it has expired.
    pub keep: Duration,
}

/// The thread that sweeps; ends when it is dropped.
pub struct Sweeper {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(authority: Arc<Authority>, policy: SweepPolicy) -> Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let thread = thread::Builder::new()
            .name("sweeper".to_owned())
            .spawn(move || sweep_now_and_then(&authority, policy, &stopped))
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sweeper panicked");
        }
    }
}

fn sweep_now_and_then(authority: &Authority, policy: SweepPolicy, stopped: &Receiver<()>) {
    let trust = ClockTrust::new(authority.now());
    let mut failing = false;
    let wait = policy.interval.min(LONGEST_WAIT);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        if !trust.holds(authority.now()) {
            tracing::warn!("the clock has jumped ahead: nothing is swept until a restart");
            continue;
        }
        let walk =
            || authority.sweep(policy, || stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout));
        let outcome = catch_unwind(AssertUnwindSafe(walk))
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the sweeper panicked")));
        // Once, not at each turn.
        match outcome {
            Err(error) => {
                measures::sweep_failed();
                if !std::mem::replace(&mut failing, true) {
                    error.log();
                }
            }
            Ok(()) => failing = false,
        }
    }
}

/// Compares the wall clock with the time that has passed.
struct ClockTrust {
    wall: Timestamp,
    passed: Instant,
}

impl ClockTrust {
    fn new(wall: Timestamp) -> Self {
        Self { wall, passed: Instant::now() }
    }

    fn holds(&self, now: Timestamp) -> bool {
        now <= self.wall.plus(self.passed.elapsed()).plus(MOST_AHEAD)
    }
}

impl Authority {
    /// Walks through the tables, if it is this replica's turn. `go_on` is asked between two pages.
    ///
    /// # Errors
    /// `Unavailable`; the next walk begins anew.
    pub fn sweep(&self, policy: SweepPolicy, go_on: impl Fn() -> bool) -> Result<()> {
        let now = self.now();
        if !self.storage.take_sweeping_turn(now, policy.interval)? {
            return Ok(());
        }
        let before = now.minus(policy.keep);
        let (mut sessions, mut revocations) = (0, 0);
        let mut after = Some(String::new());
        while let Some(position) = after {
            let swept = self.storage.sweep_sessions(&position, before)?;
            measures::swept("sessions", swept.deleted);
            sessions += swept.deleted;
            after = swept.next.filter(|_| go_on());
        }
        let mut after = Some(0);
        while let Some(position) = after {
            let swept = self.storage.sweep_revocations(position, before)?;
            measures::swept("revocations", swept.deleted);
            revocations += swept.deleted;
            after = swept.next.filter(|_| go_on());
        }
        while self.storage.sweep_failures(now)? > 0 && go_on() {}
        if sessions + revocations > 0 {
            tracing::info!(sessions, revocations, "swept what has expired");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_not_believed() {
        let trust = ClockTrust::new(Timestamp(1_000_000));
        assert!(trust.holds(Timestamp(1_000_000)) && trust.holds(Timestamp(0)));
        assert!(trust.holds(Timestamp(1_000_000 + 599_000)));
        assert!(!trust.holds(Timestamp(1_000_000 + 700_000)));
    }
}
