//! Connections are retired all at once: what one of them finds out about its server holds for the others too. Without
//! it each idle connection to a server that is gone would cost its next caller a 503.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the servers that were lost: one that closed a connection (a crash, a failover), or takes no writes (a
/// switchover). Connections of an earlier count are closed instead of used.
#[derive(Debug, Clone, Default)]
pub(super) struct Generation(Arc<AtomicU64>);

impl Generation {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Retires every connection that was opened in this generation; once, however many of them find out.
    pub(super) fn retire(&self, generation: u64, cause: &str) {
        let next = generation + 1;
        if self.0.compare_exchange(generation, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            tracing::warn!("{cause}: every connection to it is opened again");
        }
    }
}
