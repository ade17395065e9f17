//! The one place where an asynchronous endpoint crosses into the synchronous core.
//!
//! What touches neither disk nor a password hash is done where it came in: it costs less than the way to
//! another thread. A refresh and the redemption of a code wait for the disk without holding a thread. Everything else takes one.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tracing::{Instrument, Span, trace_span};

use crate::authority::{Authentication, Authority, Step};
use crate::clients::{Client, ClientAuthentication, KeyLocation};
use crate::error::{Error, ErrorKind, Result};
use crate::sessions::Rotation;
use crate::storage::{Redeem, Redeemed, Rotate, StorageError};

/// Threads that may block. More than wait for passwords, so that a flood of logins leaves some.
pub const THREADS: usize = 64;

/// Calls that may be under way or waiting for a thread; more are shed at once.
const MAX_CALLS: usize = 512;

/// Callers that may wait for the next poll; they hold no thread.
const MAX_WAITING_FOR_POLL: usize = 1024;

/// Longest wait for it: it comes each quarter of a second.
const LONGEST_POLL: Duration = Duration::from_millis(800);

/// Longest wait for a rotation. It may still happen: the caller presents its token again.
const LONGEST_ROTATION: Duration = Duration::from_secs(5);

/// How often a call that waits looks whether the database answers anybody.
const LOOK: Duration = Duration::from_millis(150);

/// Runs blocking work on the main runtime, wherever it is called from: actix workers have a runtime
/// of their own each, and would each grow a pool.
#[derive(Clone)]
pub struct Blocking {
    runtime: Handle,
    authority: Arc<Authority>,
    calls: Arc<Semaphore>,
    /// Callers that may wait for the next poll.
    waiting: Arc<Semaphore>,
}

impl Blocking {
    #[must_use]
    pub fn new(runtime: Handle, authority: Arc<Authority>) -> Self {
        let (calls, waiting) = (Semaphore::new(MAX_CALLS), Semaphore::new(MAX_WAITING_FOR_POLL));
        Self { runtime, authority, calls: Arc::new(calls), waiting: Arc::new(waiting) }
    }

    /// Runs a use case off the event loop. It runs to its end even when the caller goes away, so
    /// that nothing is left half done.
    ///
    /// # Errors
    /// Those of the use case; `Overloaded` when too many calls are under way; `Unavailable` when the database
    /// is silent; `Internal` when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Authority) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.refuse_in_silence()?;
        let Ok(call) = Arc::clone(&self.calls).try_acquire_owned() else {
            return Err(Error::new(ErrorKind::Overloaded, "too many calls are under way"));
        };
        let (span, authority) = (Span::current(), Arc::clone(&self.authority));
        let task = self.runtime.spawn_blocking(move || {
            let _call = call;
            span.in_scope(|| work(&authority))
        });
        let outcome = self.unless_silent(task).await?;
        outcome.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a use case panicked")))
    }

    /// Waits for what the database is asked, as long as it answers anybody.
    async fn unless_silent<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(LOOK, &mut work).await {
                return Ok(done);
            }
            self.refuse_in_silence()?;
        }
    }

    fn refuse_in_silence(&self) -> Result<()> {
        if self.authority.database_is_silent() {
            return Err(Error::new(ErrorKind::Unavailable, "the database does not answer"));
        }
        Ok(())
    }

    /// Runs a use case: what memory can answer here, what blocks on a thread, a rotation with the storage.
    ///
    /// # Errors
    /// Those of the use case; as [`Self::run`].
    pub async fn call<T: Send + 'static>(
        &self,
        use_case: impl FnOnce(&Authority) -> Result<Step<T>>,
    ) -> Result<T> {
        match use_case(&self.authority)? {
            Step::Done(answer) => Ok(answer),
            Step::Blocks(work) => self.run(work).await,
            Step::Rotates { rotate, then } => then(&self.authority, self.rotate(rotate).await?),
            Step::Redeems { redeem, then } => then(&self.authority, self.redeem(redeem).await?),
        }
    }

    /// Authenticates a client. Where memory refuses it, it may have been registered a moment ago: all who are refused
    /// share the wait for the next poll, and none of them asks the database itself, however many unknown ids are tried.
    /// Keys that it publishes are fetched as seldom ([`crate::remote_keys`]).
    ///
    /// # Errors
    /// As [`Authority::authenticate_client`]; `Unavailable` when the database cannot be seen.
    pub async fn authenticate(&self, presented: ClientAuthentication) -> Result<Arc<Client>> {
        let overloaded = || Error::new(ErrorKind::Overloaded, "too many clients wait to be authenticated");
        let mut waited = false;
        loop {
            match self.authority.authenticate_client(&presented)? {
                Authentication::Proved(client) => return Ok(client),
                Authentication::MaybeNew(refused) if waited => return Err(refused),
                Authentication::MaybeNew(refused) => {
                    // With too many waiting already, nobody waits.
                    let Ok(_waiting) = self.waiting.try_acquire() else { return Err(refused) };
                    self.next_poll().await?;
                    waited = true;
                }
                Authentication::NeedsKeys(location) => {
                    let _waiting = self.waiting.try_acquire().map_err(|_| overloaded())?;
                    self.fetch_keys(location).await?;
                }
            }
        }
    }

    /// Fetches published keys, to the end even when the caller goes away: others may wait for them.
    async fn fetch_keys(&self, location: KeyLocation) -> Result<()> {
        let authority = Arc::clone(&self.authority);
        let fetch = self.runtime.spawn(async move {
            authority.proofs.remote_keys.fetch(&location, authority.clock.as_ref()).await;
        });
        fetch.await.map_err(|_| Error::new(ErrorKind::Internal, "fetching keys panicked"))
    }

    /// Waits for a poll of the database that begins after now.
    ///
    /// # Errors
    /// `Unavailable` when there is none in time.
    pub async fn next_poll(&self) -> Result<()> {
        self.refuse_in_silence()?;
        let mut polls = self.authority.sync.feeds.polls();
        let begun = self.authority.sync.polls_begun();
        let polled = tokio::time::timeout(LONGEST_POLL, polls.wait_for(|completed| *completed > begun)).await;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                Err(Error::new(ErrorKind::Unavailable, "the database was not polled in time"))
            }
        }
    }

    /// A rotation, for which the storage calls back when it is durable.
    async fn rotate(&self, rotate: Rotate) -> Result<Rotation> {
        self.refuse_in_silence()?;
        let (reply, answer) = oneshot::channel();
        let (rotated, noting) = (rotate.clone(), Arc::clone(&self.authority));
        let reply = move |outcome: std::result::Result<Rotation, StorageError>| {
            noting.note_outcome(&rotated, &outcome);
            // A caller that went away does not want to know.
            drop(reply.send(outcome));
        };
        self.authority.storage.rotate_session_then(rotate, Box::new(reply));
        let rotating = trace_span!(target: "traces", "rotate session", otel.kind = "client");
        let unavailable = |cause: &str| Error::new(ErrorKind::Unavailable, cause);
        let answer = tokio::time::timeout(LONGEST_ROTATION, answer);
        let answer = self.unless_silent(answer).instrument(rotating).await?;
        let answer = answer.map_err(|_| unavailable("the storage takes too long"))?;
        Ok(answer.map_err(|_| unavailable("the storage has ended"))??)
    }

    /// The redemption of a code: called back for, or on a thread where the storage has none of its own for it.
    async fn redeem(&self, redeem: Box<Redeem>) -> Result<Redeemed> {
        self.refuse_in_silence()?;
        let (reply, answer) = oneshot::channel();
        let noting = Arc::clone(&self.authority);
        let reply = move |outcome: std::result::Result<Redeemed, StorageError>| {
            noting.note_redeemed(&outcome);
            drop(reply.send(outcome));
        };
        if let Err(redeem) = self.authority.storage.redeem_then(redeem, Box::new(reply)) {
            return self.run(move |authority| authority.redeem(redeem)).await;
        }
        let redeeming = trace_span!(target: "traces", "redeem code", otel.kind = "client");
        // However long it takes: a caller who was sent away would present a code that is spent.
        let answer = self.unless_silent(answer).instrument(redeeming).await?;
        Ok(answer.map_err(|_| Error::new(ErrorKind::Unavailable, "the storage has ended"))??)
    }
}
