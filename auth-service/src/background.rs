//! Work that is repeated beside the requests, on a thread of its own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Causes that are logged of one series of failures.
const MOST_CAUSES: usize = 5;

/// A running background task. It stops when this is dropped, after the round that is under way.
pub struct Background {
    name: &'static str,
    waker: TaskWaker,
    thread: Option<JoinHandle<()>>,
}

/// Starts the next round of a background task at once.
#[derive(Clone)]
pub struct TaskWaker {
    sender: SyncSender<()>,
    stopped: Arc<AtomicBool>,
}

/// The receiving end of a [`TaskWaker`].
pub struct Signals {
    receiver: Receiver<()>,
    waker: TaskWaker,
    /// Woken during a pause within a round: the next round starts at once.
    woken: Cell<bool>,
}

/// When a background task works, and what is logged of it.
pub struct Schedule {
    /// Name of the thread.
    pub name: &'static str,
    /// Longest time between two rounds.
    pub interval: Duration,
    pub signals: Signals,
    /// Logged at the first success after a failure.
    pub recovered: &'static str,
}

impl Default for Signals {
    fn default() -> Self {
        let (sender, receiver) = sync_channel(1);
        let waker = TaskWaker { sender, stopped: Arc::new(AtomicBool::new(false)) };
        Self { receiver, waker, woken: Cell::new(false) }
    }
}

impl TaskWaker {
    /// Never waits: with a signal in the queue, a round is about to start anyway.
    pub fn wake(&self) {
        let _ = self.sender.try_send(());
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }
}

impl Signals {
    #[must_use]
    pub fn waker(&self) -> TaskWaker {
        self.waker.clone()
    }

    /// Waits within a round. Returns `false`, at once, if the task is to stop.
    #[must_use]
    pub fn pause(&self, time: Duration) -> bool {
        if !self.is_stopped() && self.receiver.recv_timeout(time).is_ok() {
            self.woken.set(true);
        }
        !self.is_stopped()
    }

    /// Waits for the next round; `false` if there is none.
    fn next_round(&self, interval: Duration) -> bool {
        if !self.is_stopped() && !self.woken.take() {
            // Either way it is time.
            let _ = self.receiver.recv_timeout(interval);
        }
        !self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.waker.stopped.load(Ordering::Acquire)
    }
}

impl Schedule {
    /// Each `interval`, without being woken.
    #[must_use]
    pub fn every(name: &'static str, interval: Duration, recovered: &'static str) -> Self {
        Self { name, interval, signals: Signals::default(), recovered }
    }
}

impl Background {
    /// Repeats `work`. Neither a failure nor a panic ends it: everything else relies on it. Logs each cause once in a
    /// series of failures; calls `ended` with the result of each round.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(
        schedule: Schedule,
        mut work: impl FnMut(&Signals) -> Result<()> + Send + 'static,
        ended: impl Fn(&Result<()>) + Send + 'static,
    ) -> Result<Self> {
        let Schedule { name, interval, signals, recovered } = schedule;
        let waker = signals.waker();
        let repeat = move || {
            let mut causes = Vec::new();
            while signals.next_round(interval) {
                let result = caught(name, || work(&signals));
                ended(&result);
                log_change(recovered, &mut causes, result);
            }
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(repeat)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(Self { name, waker, thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.waker.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(thread = self.name, "a background thread panicked");
        }
    }
}

/// A cause is logged once in a series of failures, not in every round.
fn log_change(recovered: &str, causes: &mut Vec<String>, result: Result<()>) {
    match result {
        Ok(()) => {
            if !std::mem::take(causes).is_empty() {
                tracing::info!("{recovered}");
            }
        }
        Err(error) => {
            if causes.len() < MOST_CAUSES && !causes.contains(&error.cause) {
                error.log();
                causes.push(error.cause);
            }
        }
    }
}

/// Runs work; a panic becomes an `Internal` error.
fn caught(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, format!("{name}: panicked"))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::mpsc::channel;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn work_continues_after_a_failure_and_a_panic_and_ends_when_dropped() {
        let (report, rounds) = channel();
        let mut round = 0;
        let work = move |_: &Signals| {
            round += 1;
            report.send(round).unwrap();
            match round {
                1 => Err(Error::new(ErrorKind::Unavailable, "away")),
                2 => panic!("a defect"),
                _ => Ok(()),
            }
        };
        let failures = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&failures);
        let ended = move |result: &Result<()>| {
            counted.fetch_add(u32::from(result.is_err()), Ordering::SeqCst);
        };
        let schedule = Schedule::every("test", Duration::from_millis(1), "");
        let background = Background::start(schedule, work, ended).unwrap();
        let seen: Vec<i32> = rounds.iter().take(4).collect();
        assert_eq!(seen, [1, 2, 3, 4]);
        drop(background);
        assert_eq!(failures.load(Ordering::SeqCst), 2);
        assert!(rounds.iter().count() < 1000, "the thread has ended");
    }

    #[test]
    fn a_task_that_is_woken_does_not_wait_for_its_interval_and_stops_within_its_work() {
        let signals = Signals::default();
        let waker = signals.waker();
        let (report, rounds) = channel();
        let work = move |signals: &Signals| {
            report.send(()).unwrap();
            // A signal within a pause starts the next round.
            let _ = signals.pause(HOUR);
            Ok(())
        };
        // Before the task runs: the signal waits for it.
        waker.wake();
        let schedule = Schedule { name: "test", interval: HOUR, signals, recovered: "" };
        let background = Background::start(schedule, work, |_| {}).unwrap();
        rounds.recv().unwrap();
        waker.wake();
        rounds.recv().unwrap();
        drop(background);
        assert!(rounds.recv().is_err(), "the pause within the work has ended, and no round came after it");
    }

    #[test]
    fn a_task_that_is_to_stop_starts_no_other_round() {
        let signals = Signals::default();
        let waker = signals.waker();
        waker.wake();
        waker.stop();
        assert!(!signals.next_round(HOUR) && !signals.pause(HOUR), "although it was woken before");
    }

    #[test]
    fn each_cause_is_logged_once_in_a_series() {
        let mut causes = Vec::new();
        let fail = |cause: &str| Err(Error::new(ErrorKind::Unavailable, cause));
        for cause in ["a", "b", "a", "b"] {
            log_change("", &mut causes, fail(cause));
        }
        assert_eq!(causes, ["a", "b"]);
        log_change("", &mut causes, Ok(()));
        assert!(causes.is_empty(), "the next series is logged again");
    }
}
