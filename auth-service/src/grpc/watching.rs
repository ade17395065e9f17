//! What both watches have in common: who may, how many, and when they end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::client_auth::credentials;
use super::status::refuse;
use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::clients::Client;
use crate::error::{Error, ErrorKind};
use crate::measures;

/// Time between two heartbeats.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// Messages that wait for a slow receiver: there may be ten thousand of them.
const AHEAD: usize = 1;

/// A receiver that takes nothing for this long is given up: it will call again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Verifiers of a replica that stops are asked to spread over this time.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Admits callers, up to a number.
#[derive(Clone)]
pub struct Watching {
    pub authority: Arc<Authority>,
    pub blocking: Blocking,
    places: Arc<Semaphore>,
    /// Snapshots on their way at one time: each holds a page or two.
    pub snapshots: Arc<Semaphore>,
}

const MAX_SNAPSHOTS: usize = 64;

/// One admitted caller and the way to it.
pub struct Watcher<T> {
    pub client: Arc<Client>,
    pub authority: Arc<Authority>,
    updates: mpsc::Sender<Result<T, Status>>,
    _place: Place,
}

/// Counted as long as it is held.
struct Place {
    feed: &'static str,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn new(feed: &'static str, permit: OwnedSemaphorePermit) -> Self {
        measures::watching(feed, 1.0);
        Self { feed, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        measures::watching(self.feed, -1.0);
    }
}

pub type Updates<T> = tokio_stream::wrappers::ReceiverStream<Result<T, Status>>;

impl Watching {
    pub fn new(authority: Arc<Authority>, blocking: Blocking, most: usize) -> Self {
        Self {
            authority,
            blocking,
            places: Arc::new(Semaphore::new(most)),
            snapshots: Arc::new(Semaphore::new(MAX_SNAPSHOTS)),
        }
    }

    /// Authenticates a caller and gives it a place.
    ///
    /// # Errors
    /// UNAUTHENTICATED; RESOURCE_EXHAUSTED when as many watch as may.
    pub async fn admit<R, T>(
        &self,
        feed: &'static str,
        request: &Request<R>,
    ) -> Result<(Watcher<T>, Updates<T>), Status> {
        let admitted = async {
            let credentials = credentials(request.metadata())?;
            let client = self.blocking.authenticate(credentials).await?;
            let place = Arc::clone(&self.places).try_acquire_owned();
            let place = place.map_err(|_| Error::new(ErrorKind::Overloaded, "too many verifiers watch"))?;
            Ok((client, place))
        };
        let (client, place) = admitted.await.map_err(|error| refuse(&error))?;
        let (updates, stream) = mpsc::channel(AHEAD);
        let authority = Arc::clone(&self.authority);
        Ok((Watcher { client, authority, updates, _place: Place::new(feed, place) }, Updates::new(stream)))
    }
}

impl<T> Watcher<T> {
    /// `false` when the receiver is gone, or takes nothing.
    pub async fn send(&self, update: T) -> bool {
        self.updates.send_timeout(Ok(update), PATIENCE).await.is_ok()
    }

    /// Returns when the receiver has gone away.
    pub async fn gone(&self) {
        self.updates.closed().await;
    }

    /// Whether the caller may go on watching; one that may not is told.
    pub async fn may_go_on(&self) -> bool {
        if self.authority.feeds.is_closing() {
            let _ = self.updates.send_timeout(Err(elsewhere()), PATIENCE).await;
            return false;
        }
        let enabled = self.authority.clients.enabled(&self.client.id).is_some();
        if !enabled {
            let refused = Error::new(ErrorKind::InvalidClient, "the client that watches was disabled");
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
