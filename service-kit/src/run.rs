//! Serving until a signal, and the order of the shutdown.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::Server;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::metrics::Listener;
use crate::signals::exit_at_next_signal;

/// Time for HTTP requests under way at a stop, in seconds; for actix's `shutdown_timeout`.
pub const HTTP_DRAIN_SECONDS: u64 = 6;

/// Longest drain of everything together: with the drain delay of a second and what ends behind it, it fits into the ten
/// seconds that `docker stop` gives a container. What is left then is a client that holds a connection or a health watch
/// open, and waits for us.
const DRAIN: Duration = Duration::from_secs(7);

/// The end of a process, in two steps.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// Draining: not ready, streams end, connections close after their answer. Requests are still served.
    pub draining: CancellationToken,
    /// Takes nothing new.
    pub stopping: CancellationToken,
}

static DRAINING: AtomicBool = AtomicBool::new(false);

/// Whether this process is draining.
#[must_use]
pub fn is_draining() -> bool {
    DRAINING.load(Ordering::Relaxed)
}

/// Serves HTTP and gRPC until `stop` (by SIGTERM or SIGINT), says for `drain_delay` that it is not ready, lets
/// what is under way finish within bounds, and returns. A second signal ends the process at once.
///
/// # Errors
/// One line, when one of the two ends by itself.
pub async fn until_stopped<E: Debug + Send + 'static>(
    stop: impl Future<Output = ()>,
    http: Server,
    mut grpc: JoinHandle<Result<(), E>>,
    metrics: Listener,
    end: End,
    drain_delay: Duration,
) -> Result<(), String> {
    let http_handle = http.handle();
    let mut http = tokio::spawn(http);
    let early = tokio::select! {
        () = stop => None,
        ended = &mut http => Some(format!("http ended: {ended:?}")),
        ended = &mut grpc => Some(format!("grpc ended: {ended:?}")),
    };
    exit_at_next_signal();
    DRAINING.store(true, Ordering::Relaxed);
    end.draining.cancel();
    if early.is_none() {
        tracing::info!(?drain_delay, "draining: not ready any more, still serving");
        // For balancers to notice: anyone who is sent here meanwhile is served.
        tokio::time::sleep(drain_delay).await;
    }
    tracing::info!("stopping: requests under way are finished first");
    end.stopping.cancel();
    let drained = tokio::time::timeout(DRAIN, async {
        http_handle.stop(true).await;
        // An idle client IP can hold this open for ever (hyper#4170): hence the bound around it.
        if !grpc.is_finished() {
            let _ = (&mut grpc).await;
        }
    });
    if drained.await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
    // Last: how the end goes can be seen.
    metrics.stop().await;
    tracing::info!("stopped");
    early.map_or(Ok(()), Err)
}
