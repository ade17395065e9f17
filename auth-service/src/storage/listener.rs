//! On PostgreSQL replicas learn of each other's writes at once, by NOTIFY; on SQLite, and should a notification be
//! lost, they poll a few times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{RunQueryDsl, sql_query};

use super::Storage;
use super::connection::{AnyConnection, Purpose, pause};
use super::error::StorageError;
use super::generation::Generation;
use super::url::DatabaseUrl;

/// libpq has no callback for notifications: it is polled this often, without a round trip.
const LOOK: Duration = Duration::from_millis(10);

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
        if matches!(self.url, DatabaseUrl::Sqlite(_)) {
            return Ok(None);
        }
        let (url, stop) = (self.url.clone(), Arc::new(AtomicBool::new(false)));
        let (stopped, generation) = (Arc::clone(&stop), self.generation.clone());
        let thread = thread::Builder::new()
            .name("pg-listener".to_owned())
            .spawn(move || listen(&url, &on_change, (&stopped, &generation)))
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

fn listen(url: &DatabaseUrl, on_change: &dyn Fn(), (stop, generation): (&AtomicBool, &Generation)) {
    let mut last_failure: Option<StorageError> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut listening = || last_failure = None;
        let Err(error) = listen_once(url, on_change, (stop, generation), &mut listening) else { return };
        // Once, not each second.
        if last_failure.as_ref() != Some(&error) {
            tracing::warn!(%error, "no notifications from the database: it is polled instead");
            last_failure = Some(error);
        }
        let tries = RECONNECT.as_millis() / LOOK.as_millis();
        (0..tries).take_while(|_| !stop.load(Ordering::Relaxed)).for_each(|_| pause(LOOK));
    }
}

fn listen_once(
    url: &DatabaseUrl,
    on_change: &dyn Fn(),
    (stop, generation): (&AtomicBool, &Generation),
    listening: &mut dyn FnMut(),
) -> Result<(), StorageError> {
    let opened_in = generation.current();
    let AnyConnection::Postgres(mut connection) = AnyConnection::open(url, Purpose::Read)? else {
        return Ok(());
    };
    connection.batch_execute("LISTEN signet_changes")?;
    listening();
    // What was written before it listened.
    on_change();
    while !stop.load(Ordering::Relaxed) {
        if generation.current() != opened_in {
            return Err(StorageError::Disconnected("its server was lost or takes no writes".to_owned()));
        }
        let mut told = false;
        for word in connection.notifications_iter() {
            word?;
            told = true;
        }
        if told {
            on_change();
        }
        pause(LOOK);
    }
    Ok(())
}
