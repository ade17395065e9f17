//! Work that is done again and again beside the requests, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// The thread; ends when this is dropped, after the work that is under way.
pub struct Background {
    name: &'static str,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Tells a background task whether to continue.
pub struct Stop(Receiver<()>);

impl Stop {
    /// Waits. Returns `false` at once if the task is to stop.
    #[must_use]
    pub fn pause(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }
}

impl Background {
    /// Does `work` every `interval`, whatever comes of it: a defect must not end what everything else relies on.
    /// Logs the first of several failures in a row; calls `failed` for each.
    ///
    /// # Errors
    /// `Internal` when the system gives no thread.
    pub fn start(
        name: &'static str,
        interval: Duration,
        mut work: impl FnMut(&Stop) -> Result<()> + Send + 'static,
        failed: fn(),
    ) -> Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let stopped = Stop(stopped);
        let repeat = move || {
            let mut failing = false;
            while stopped.pause(interval) {
                match caught(name, || work(&stopped)) {
                    Err(error) => {
                        failed();
                        if !std::mem::replace(&mut failing, true) {
                            error.log();
                        }
                    }
                    Ok(()) => failing = false,
                }
            }
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(repeat)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        Ok(Self { name, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(thread = self.name, "a background thread panicked");
        }
    }
}

/// Runs work; a panic becomes a failure.
///
/// # Errors
/// Those of the work; `Internal` when it panicked.
pub fn caught(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, format!("{name}: panicked"))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::channel;

    use super::*;

    static FAILURES: AtomicU32 = AtomicU32::new(0);

    #[test]
    fn work_goes_on_after_a_failure_and_a_panic_and_ends_when_dropped() {
        let (tell, told) = channel();
        let mut times = 0;
        let work = move |_: &Stop| {
            times += 1;
            tell.send(times).unwrap();
            match times {
                1 => Err(Error::new(ErrorKind::Unavailable, "away")),
                2 => panic!("a defect"),
                _ => Ok(()),
            }
        };
        let failed = || {
            FAILURES.fetch_add(1, Ordering::SeqCst);
        };
        let background = Background::start("test", Duration::from_millis(1), work, failed).unwrap();
        let heard: Vec<i32> = told.iter().take(4).collect();
        assert_eq!(heard, [1, 2, 3, 4]);
        drop(background);
        assert_eq!(FAILURES.load(Ordering::SeqCst), 2);
        assert!(told.iter().count() < 1000, "nobody speaks any more");
    }
}
