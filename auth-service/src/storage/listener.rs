//! On PostgreSQL replicas learn of each other's writes at once, by NOTIFY; on SQLite, and should a notification be
//! lost, they poll a few times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{RunQueryDsl, sql_query};

use super::Storage;
use super::connection::{AnyConnection, pause};
use super::connection_settings::Access;
use super::error::StorageError;
use super::generation::Generation;
use super::url::DatabaseUrl;

/// libpq has no callback for notifications: it is polled this often, without a round trip.
const POLL: Duration = Duration::from_millis(10);

/// Pause between two tries to connect.
const RECONNECT: Duration = Duration::from_secs(1);

/// Sent with the commit of the transaction, or not at all. One channel without a payload: PostgreSQL folds
/// equal notifications of a transaction into one, and a replica that receives it reads the counters anyway.
pub(super) fn tell_others(connection: &mut AnyConnection) -> Result<(), StorageError> {
    if let AnyConnection::Postgres(connection) = connection {
        sql_query("NOTIFY signet_changes").execute(connection)?;
    }
    Ok(())
}

/// A thread that listens until this is dropped.
pub struct Listener {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Calls `on_change` whenever another process has written something. `None` on SQLite, which tells nobody.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the system gives no thread.
    pub fn listen(&self, on_change: impl Fn() + Send + 'static) -> Result<Option<Listener>, StorageError> {
        if matches!(self.parts.url, DatabaseUrl::Sqlite(_)) {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let listening = Listening {
            url: self.parts.url.clone(),
            generation: self.parts.generation.clone(),
            stop: Arc::clone(&stop),
            on_change,
            last_failure: None,
        };
        let thread = thread::Builder::new()
            .name("pg-listener".to_owned())
            .spawn(move || listening.run())
            .map_err(|error| StorageError::Unavailable(format!("no listener thread: {error}")))?;
        Ok(Some(Listener { stop, thread: Some(thread) }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listener thread panicked");
        }
    }
}

/// The work of the thread.
struct Listening<F> {
    url: DatabaseUrl,
    generation: Generation,
    stop: Arc<AtomicBool>,
    on_change: F,
    last_failure: Option<StorageError>,
}

impl<F: Fn()> Listening<F> {
    fn run(mut self) {
        while !self.is_stopped() {
            let Err(error) = self.once() else { return };
            // Once, not each second.
            if self.last_failure.as_ref() != Some(&error) {
                tracing::warn!(%error, "no notifications from the database: it is polled instead");
                self.last_failure = Some(error);
            }
            let polls = RECONNECT.as_millis() / POLL.as_millis();
            (0..polls).take_while(|_| !self.is_stopped()).for_each(|_| pause(POLL));
        }
    }

    /// Listens over one connection, until it is stopped or the connection fails.
    fn once(&mut self) -> Result<(), StorageError> {
        let opened_in = self.generation.current();
        let AnyConnection::Postgres(mut connection) = AnyConnection::open(&self.url, Access::Read)? else {
            return Ok(());
        };
        connection.batch_execute("LISTEN signet_changes")?;
        self.last_failure = None;
        // For writes from before it listened.
        (self.on_change)();
        while !self.is_stopped() {
            if self.generation.current() != opened_in {
                return Err(StorageError::Disconnected("its server was lost or takes no writes".to_owned()));
            }
            let mut notified = false;
            for notification in connection.notifications_iter() {
                notification?;
                notified = true;
            }
            if notified {
                (self.on_change)();
            }
            pause(POLL);
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
