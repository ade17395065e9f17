//! Serving until told to stop, and the order in which things stop.

use std::fmt::Debug;
use std::time::Duration;

use actix_web::dev::Server;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::signals::exit_at_next_signal;

/// Time for HTTP requests under way at a stop, in seconds; for actix's `shutdown_timeout`.
pub const HTTP_DRAIN_SECONDS: u64 = 10;

/// Longest drain of everything together. A call takes at most 10 s, so what is left then is a peer that
/// holds a connection or a health watch open, and waits for us.
const DRAIN: Duration = Duration::from_secs(12);

/// Serves HTTP and gRPC until `told` (by SIGTERM or SIGINT), then cancels `stop`, lets what is under way finish
/// within bounds, and returns. A second signal ends the process at once.
///
/// # Errors
/// One line, when one of the two ends by itself.
pub async fn until_told<E: Debug + Send + 'static>(
    told: impl Future<Output = ()>,
    http: Server,
    mut grpc: JoinHandle<Result<(), E>>,
    stop: CancellationToken,
) -> Result<(), String> {
    let http_handle = http.handle();
    let mut http = tokio::spawn(http);
    let early = tokio::select! {
        () = told => None,
        ended = &mut http => Some(format!("http ended: {ended:?}")),
        ended = &mut grpc => Some(format!("grpc ended: {ended:?}")),
    };
    tracing::info!("stopping: requests under way are finished first");
    exit_at_next_signal();
    stop.cancel();
    let drained = tokio::time::timeout(DRAIN, async {
        http_handle.stop(true).await;
        // An idle peer can hold this open for ever (hyper#4170): hence the bound around it.
        if !grpc.is_finished() {
            let _ = (&mut grpc).await;
        }
    });
    if drained.await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
    tracing::info!("stopped");
    early.map_or(Ok(()), Err)
}
