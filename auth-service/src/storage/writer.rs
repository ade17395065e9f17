//! SQLite has one writer at a time, so there is one writer thread: it takes every step that is
//! waiting, runs each in a savepoint of one transaction, and commits them with one fsync.
//! 64 rotations a commit cost a seventh of 64 commits, and nobody meets a locked database.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::connection::SimpleConnection;

use super::connection::{AnyConnection, SQLITE_PATIENCE, begin_immediate};
use super::connection_settings::Access;
use super::error::StorageError;
use super::url::DatabaseUrl;

/// Most steps in one commit: what is behind them waits no longer than a few milliseconds.
pub(super) const MAX_BATCH: usize = 64;

/// Most steps that wait; more are shed at once.
pub(super) const MAX_WAITING: usize = 1024;

/// Runs a step, or refuses it, and says what is to be done once the commit is known.
type Job = Box<dyn FnOnce(Result<&mut AnyConnection, StorageError>) -> Finish + Send>;
type Finish = Box<dyn FnOnce(Result<(), StorageError>)>;

/// A handle on the writer thread, which ends with it.
pub(super) struct SqliteWriter {
    /// `None` at the end.
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Longest wait for the write lock, in milliseconds.
    patience: Arc<AtomicU64>,
}

impl SqliteWriter {
    pub(super) fn start(url: DatabaseUrl) -> Result<Self, StorageError> {
        let connection = AnyConnection::open(&url, Access::Write)?;
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let patience = Arc::new(AtomicU64::new(0));
        let of_thread = Arc::clone(&patience);
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || write_batches(connection, &waiting, &of_thread))
            .map_err(|error| StorageError::Unavailable(format!("no writer thread: {error}")))?;
        let writer = Self { jobs: Some(jobs), thread: Some(thread), patience };
        writer.wait_for_the_lock(SQLITE_PATIENCE);
        Ok(writer)
    }

    /// Sets the longest wait for the write lock.
    pub(super) fn wait_for_the_lock(&self, patience: Duration) {
        let milliseconds = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        self.patience.store(milliseconds, Ordering::Relaxed);
    }

    /// Runs `step` and returns when it is durable. An error of one step undoes that step alone.
    pub(super) fn write<T, F>(&self, step: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T, StorageError> + Send + 'static,
    {
        let (reply, answer) = sync_channel(1);
        let reply = move |outcome| drop(reply.send(outcome));
        self.submit(move |connection| in_savepoint(connection, step), reply);
        answer.recv().map_err(|_| StorageError::Unavailable("the writer thread has ended".to_owned()))?
    }

    /// Runs `step`, which must undo itself when it fails, as a single statement does, and calls `reply`
    /// from the writer thread when it is durable.
    pub(super) fn submit<T, F>(&self, step: F, reply: impl FnOnce(Result<T, StorageError>) + Send + 'static)
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<T, StorageError> + Send + 'static,
    {
        let job: Job = Box::new(move |connection| {
            let outcome = connection.and_then(|connection| {
                catch_unwind(AssertUnwindSafe(|| step(connection)))
                    .unwrap_or_else(|_| Err(StorageError::Unreadable("a storage step panicked".to_owned())))
            });
            Box::new(move |committed| reply(committed.and(outcome)))
        });
        let Some(jobs) = &self.jobs else { return };
        if let Err(refused) = jobs.try_send(job) {
            let cause = match &refused {
                TrySendError::Full(_) => "too many writes are waiting",
                TrySendError::Disconnected(_) => "the writer thread has ended",
            };
            not_sent(refused)(Err(StorageError::Unavailable(cause.to_owned())))(Ok(()));
        }
    }
}

/// A process that ends must not leave the log of its last connection beside the file.
impl Drop for SqliteWriter {
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        // A step that held the last handle is on that thread.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

/// What a full or closed channel did not take.
pub(super) fn not_sent<T>(refused: TrySendError<T>) -> T {
    match refused {
        TrySendError::Full(item) | TrySendError::Disconnected(item) => item,
    }
}

fn write_batches(mut connection: AnyConnection, waiting: &Receiver<Job>, patience: &AtomicU64) {
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter().take(MAX_BATCH - 1));
        match begin_immediate(&mut connection, Duration::from_millis(patience.load(Ordering::Relaxed))) {
            Ok(()) => {
                let finishes: Vec<Finish> = batch.map(|job| job(Ok(&mut connection))).collect();
                let committed = commit(&mut connection);
                finishes.into_iter().for_each(|finish| finish(committed.clone()));
            }
            Err(refused) => {
                // Those that wait now: one that comes while they are told deserves a try of its own.
                let batch: Vec<Job> = batch.collect();
                batch.into_iter().for_each(|job| job(Err(refused.clone()))(Ok(())));
            }
        }
    }
}

fn commit(connection: &mut AnyConnection) -> Result<(), StorageError> {
    connection.batch_execute("COMMIT").map_err(|error| {
        // A commit that failed (disk full, busy) may leave the transaction open.
        if let Err(rollback) = connection.batch_execute("ROLLBACK") {
            tracing::debug!(%rollback, "nothing left to roll back");
        }
        StorageError::from(error)
    })
}

/// A step of several statements, undone as a whole when it fails or panics.
pub(super) fn in_savepoint<T>(
    connection: &mut AnyConnection,
    step: impl FnOnce(&mut AnyConnection) -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    connection.batch_execute("SAVEPOINT step")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| step(connection)))
        .unwrap_or_else(|_| Err(StorageError::Unreadable("a storage step panicked".to_owned())));
    let end = if outcome.is_ok() { "RELEASE step" } else { "ROLLBACK TO step; RELEASE step" };
    connection.batch_execute(end)?;
    outcome
}
