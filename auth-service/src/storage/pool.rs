//! Connections that are kept open, and how long they are waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::r2d2::{NopErrorHandler, Pool, PooledConnection};

use super::connection_settings::Access;
use super::error::{StorageError, explained};
use super::generation::Generation;
use super::manager::Manager;
use super::url::DatabaseUrl;
use crate::metrics;

/// Longest wait for a connection of a command or a start: nobody waits for an answer but a user.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same while requests are served; then the caller gets 503.
const WAIT: Duration = Duration::from_millis(200);

/// A handle on them.
#[derive(Clone)]
pub(super) struct Connections {
    pool: Pool<Manager>,
    /// Someone has waited in vain, and nobody has had a connection since.
    exhausted: Arc<AtomicBool>,
    /// Requests are served.
    serving: Arc<AtomicBool>,
}

impl Connections {
    /// At most `size` of them.
    pub(super) fn new(url: &DatabaseUrl, access: Access, size: u32, generation: &Generation) -> Self {
        let pool = Pool::builder()
            .max_size(size)
            // All of them, from the start: one that is opened in a flood of requests is waited for by all.
            .min_idle(Some(size))
            .connection_timeout(WAIT)
            .test_on_check_out(false)
            // What fails is logged where it was needed, once: not for each try of each connection.
            .error_handler(Box::new(NopErrorHandler))
            .build_unchecked(Manager { url: url.clone(), access, generation: generation.clone() });
        Self { pool, exhausted: Arc::default(), serving: Arc::default() }
    }

    /// From now on requests wait.
    pub(super) fn answer_soon(&self) {
        self.serving.store(true, Ordering::Relaxed);
    }

    /// One of them. While all are taken for long nobody waits: those who do hold threads, and anyone who came behind
    /// them would wait for these first.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`].
    pub(super) fn take(&self) -> Result<PooledConnection<Manager>, StorageError> {
        let begun = Instant::now();
        let serving = self.serving.load(Ordering::Relaxed);
        let taken = if serving && self.exhausted.load(Ordering::Relaxed) {
            // Those that are retired are closed, however many they are.
            let taken = std::iter::from_fn(|| self.pool.try_get()).find(|taken| !taken.is_retired());
            taken.ok_or_else(|| "every connection is taken".to_owned())
        } else {
            self.take_within(begun + if serving { WAIT } else { PATIENCE })
        };
        self.exhausted.store(taken.is_err(), Ordering::Relaxed);
        metrics::waited_for_connection(begun.elapsed(), taken.is_ok());
        taken.map_err(StorageError::Unavailable)
    }

    /// A connection that leads to a server that is there and takes writes, as far as is known. Given back, a retired one is closed.
    fn take_within(&self, end: Instant) -> Result<PooledConnection<Manager>, String> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let taken = self.pool.get_timeout(left).map_err(|error| explained(&error.to_string()))?;
            if !taken.is_retired() {
                return Ok(taken);
            }
        }
    }

    /// How many there are, and how many of them are idle.
    pub(super) fn state(&self) -> (u32, u32) {
        let state = self.pool.state();
        (state.connections, state.idle_connections)
    }
}
