//! Work that is repeated beside the requests, on a thread of its own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// A running background task; ends when this is dropped, after the round that is under way.
pub struct Background {
    name: &'static str,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

/// Starts the next round of a background task at once.
#[derive(Clone)]
pub struct Waker(SyncSender<Signal>);

/// What a background task receives: that it is to work now, or to stop.
pub struct Signals {
    receiver: Receiver<Signal>,
    stopped: Cell<bool>,
}

enum Signal {
    Now,
    Stop,
}

/// When a background task works.
pub struct Schedule {
    /// Name of the thread, and of the task in the log.
    pub name: &'static str,
    /// Longest time between two rounds.
    pub interval: Duration,
    pub signals: Signals,
    pub waker: Waker,
}

/// The two ends of a task's signals, for one that can be woken before it runs.
#[must_use]
pub fn signals() -> (Waker, Signals) {
    let (sender, receiver) = sync_channel(1);
    (Waker(sender), Signals { receiver, stopped: Cell::new(false) })
}

impl Waker {
    /// Never waits: with a signal in the queue, a round is about to start anyway.
    pub fn wake(&self) {
        let _ = self.0.try_send(Signal::Now);
    }
}

impl Signals {
    /// Waits for `time`, or until the task is woken. Returns `false`, from then on at once, if the task is to stop.
    #[must_use]
    pub fn pause(&self, time: Duration) -> bool {
        if self.stopped.get() {
            return false;
        }
        let signal = self.receiver.recv_timeout(time);
        let stopped = matches!(signal, Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected));
        self.stopped.set(stopped);
        !stopped
    }
}

impl Schedule {
    /// Each `interval`, without being woken.
    #[must_use]
    pub fn every(name: &'static str, interval: Duration) -> Self {
        let (waker, signals) = signals();
        Self { name, interval, signals, waker }
    }
}

impl Background {
    /// Repeats `work`. Neither a failure nor a panic ends it: everything else relies on it. Logs a failure unless the
    /// round before failed by the same cause; calls `ended` with the result of each round.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(
        schedule: Schedule,
        mut work: impl FnMut(&Signals) -> Result<()> + Send + 'static,
        ended: impl Fn(&Result<()>) + Send + 'static,
    ) -> Result<Self> {
        let Schedule { name, interval, signals, waker } = schedule;
        let repeat = move || {
            let mut last_failure = None;
            while signals.pause(interval) {
                let result = caught(name, || work(&signals));
                ended(&result);
                log_change(name, &mut last_failure, result);
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
        // Fails when the thread is gone.
        let _ = self.waker.0.send(Signal::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(thread = self.name, "a background thread panicked");
        }
    }
}

/// A cause is logged once, not in every round.
fn log_change(name: &str, last_failure: &mut Option<String>, result: Result<()>) {
    match result {
        Ok(()) => {
            if last_failure.take().is_some() {
                tracing::info!(task = name, "the background task works again");
            }
        }
        Err(error) if last_failure.as_ref() == Some(&error.cause) => {}
        Err(error) => {
            error.log();
            *last_failure = Some(error.cause);
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

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
        let schedule = Schedule::every("test", Duration::from_millis(1));
        let background = Background::start(schedule, work, ended).unwrap();
        let seen: Vec<i32> = rounds.iter().take(4).collect();
        assert_eq!(seen, [1, 2, 3, 4]);
        drop(background);
        assert_eq!(failures.load(Ordering::SeqCst), 2);
        assert!(rounds.iter().count() < 1000, "the thread has ended");
    }

    #[test]
    fn a_task_that_is_woken_does_not_wait_for_its_interval_and_stops_within_its_work() {
        let (waker, signals) = signals();
        let (report, rounds) = channel();
        let work = move |signals: &Signals| {
            report.send(()).unwrap();
            while signals.pause(Duration::from_secs(3600)) {}
            Ok(())
        };
        // Before the task runs: the signal waits for it.
        waker.wake();
        let schedule = Schedule { name: "test", interval: Duration::from_secs(3600), signals, waker };
        let background = Background::start(schedule, work, |_| {}).unwrap();
        rounds.recv().unwrap();
        drop(background);
        assert!(rounds.recv().is_err(), "the pause within the work has ended, and no round came after it");
    }
}
