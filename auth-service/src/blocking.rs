//! The one place where an asynchronous edge crosses into the synchronous core.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::Span;

use crate::error::{Error, ErrorKind, Result};

/// Threads that may block. More than wait for passwords, so that a flood of logins leaves some.
pub const THREADS: usize = 64;

/// Calls that may be under way or waiting for a thread; more are shed at once.
const MAX_CALLS: usize = 512;

/// Runs blocking work on the main runtime, wherever it is called from: actix workers have a runtime
/// of their own each, and would each grow a pool.
#[derive(Clone)]
pub struct Blocking {
    runtime: Handle,
    calls: Arc<Semaphore>,
}

impl Blocking {
    #[must_use]
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, calls: Arc::new(Semaphore::new(MAX_CALLS)) }
    }

    /// Runs a use case off the event loop. It runs to its end even when the caller goes away, so
    /// that nothing is left half done.
    ///
    /// # Errors
    /// Those of the use case; `Overloaded` when too many calls are under way; `Internal` when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Ok(call) = Arc::clone(&self.calls).try_acquire_owned() else {
            return Err(Error::new(ErrorKind::Overloaded, "too many calls are under way"));
        };
        let span = Span::current();
        let task = self.runtime.spawn_blocking(move || {
            let _call = call;
            span.in_scope(work)
        });
        task.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a use case panicked")))
    }
}
