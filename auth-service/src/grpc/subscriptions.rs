//! What both watches have in common: who may, how many, and when they end.

use std::sync::Arc;
use std::time::Duration;

use service_kit::client_certificates::ClientCertificates;
use tokio::sync::{Semaphore, mpsc};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::client_auth::credentials;
use super::open_streams::{OpenStream, OpenStreams};
use super::status::refuse;
use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::clients::{Client, WATCH_SCOPE};
use crate::error::{Error, ErrorKind, OAuthFault};
use crate::metrics;

/// Time between two heartbeats.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Messages that wait for a slow receiver: there may be ten thousand of them.
const AHEAD: usize = 1;

/// A receiver that takes nothing for this long is given up: it will call again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Verifiers of a replica that stops are asked to spread over this time.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Admits callers, up to a number.
#[derive(Clone)]
pub(super) struct Subscriptions {
    pub authority: Arc<Authority>,
    pub blocking: Blocking,
    certificates: ClientCertificates,
    streams: OpenStreams,
    /// Snapshots on their way at one time: each holds a page or two.
    pub snapshots: Arc<Semaphore>,
}

const MAX_SNAPSHOTS: usize = 64;

/// One admitted caller and the way to it.
pub(super) struct Subscriber<T> {
    pub client: Arc<Client>,
    pub authority: Arc<Authority>,
    updates: mpsc::Sender<Result<T, Status>>,
    _open: Counted,
}

/// Counted as long as it is open.
struct Counted {
    feed: &'static str,
    _stream: OpenStream,
}

impl Counted {
    fn new(feed: &'static str, stream: OpenStream) -> Self {
        metrics::subscriptions(feed, 1.0);
        Self { feed, _stream: stream }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::subscriptions(self.feed, -1.0);
    }
}

pub(super) type Updates<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

impl Subscriptions {
    pub(super) fn new(
        authority: Arc<Authority>,
        blocking: Blocking,
        certificates: ClientCertificates,
        most: usize,
    ) -> Self {
        Self {
            authority,
            blocking,
            certificates,
            streams: OpenStreams::new(most),
            snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
        }
    }

    /// Authenticates a caller that may follow the feeds.
    ///
    /// # Errors
    /// UNAUTHENTICATED; PERMISSION_DENIED without the scope; RESOURCE_EXHAUSTED when as many watch as may.
    pub(super) async fn admit<R, T>(
        &self,
        feed: &'static str,
        request: &Request<R>,
    ) -> Result<(Subscriber<T>, Updates<T>), Status> {
        let admitted = async {
            let credentials = credentials(request, &self.certificates)?;
            let client = self.blocking.authenticate(credentials).await?;
            client.check_own_scope(WATCH_SCOPE, "follow the feeds")?;
            let stream = self.streams.enter(&client.id).ok_or_else(|| {
                let cause =
                    format!("client {} follows as many feeds as it may, or all clients do", client.id);
                Error::new(ErrorKind::Overloaded, cause)
            })?;
            Ok((client, stream))
        };
        let (client, open) = admitted.await.map_err(|error| refuse(&error))?;
        let (updates, stream) = mpsc::channel(AHEAD);
        let authority = Arc::clone(&self.authority);
        Ok((Subscriber { client, authority, updates, _open: Counted::new(feed, open) }, Updates::new(stream)))
    }
}

impl<T> Subscriber<T> {
    /// `false` when the receiver is gone, or takes nothing.
    pub(super) async fn send(&self, update: T) -> bool {
        self.updates.send_timeout(Ok(update), PATIENCE).await.is_ok()
    }

    /// Returns when the receiver has gone away.
    pub(super) async fn gone(&self) {
        self.updates.closed().await;
    }

    /// Whether the caller may go on subscriptions; one that may not is told.
    pub(super) async fn may_go_on(&self) -> bool {
        if self.authority.sync.feeds.is_closing() {
            let _ = self.updates.send_timeout(Err(elsewhere()), PATIENCE).await;
            return false;
        }
        let client = self.authority.clients.enabled(&self.client.id);
        let enabled =
            client.is_some_and(|client| client.check_own_scope(WATCH_SCOPE, "follow the feeds").is_ok());
        if !enabled {
            let cause = "the client that watches was disabled, or lost the scope for it";
            let refused = Error::new(OAuthFault::InvalidClient, cause);
            let _ = self.updates.send_timeout(Err(refuse(&refused)), PATIENCE).await;
        }
        enabled
    }
}

/// The end of a stream whose replica stops: come again, to another one, within a moment (`google.rpc.RetryInfo`).
fn elsewhere() -> Status {
    let details = ErrorDetails::with_retry_info(Some(COME_AGAIN));
    Status::with_error_details(Code::Unavailable, "this replica stops: connect again", details)
}
