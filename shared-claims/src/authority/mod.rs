//! The authority as seen from a resource service: its key set and its revocations, kept at hand.
//!
//! Nothing here is on the way of a request. A background task fetches; requests read the last good
//! state from memory. The state is saved to a file, so that a service starts while the authority is away.

mod fetch;
mod refresh;
mod saved_state;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::public_keys::KeySet;
use crate::revocations::Revocations;

pub use fetch::FetchError;

/// Where the authority is, and how it is asked.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// Base URL, without a trailing slash: `https://auth.example`.
    pub url: String,
    /// The `iss` that its documents carry.
    pub issuer: String,
    /// Folder for the last good state; `None` keeps it in memory only.
    pub data_dir: Option<PathBuf>,
    /// Time between two questions for revocations; half of a second keeps the promise of one.
    pub poll_interval: Duration,
    /// Allows `http://` to a host that is not loopback: only inside a network that is trusted.
    pub allow_http: bool,
}

/// What a verifier trusts at one moment.
#[derive(Clone, Default)]
pub struct Trust {
    pub keys: KeySet,
    pub revocations: Revocations,
}

/// A handle on the last good state.
pub struct Authority {
    trust: ArcSwap<Trust>,
    unknown_key_seen: AtomicBool,
}

impl Authority {
    /// Starts from the saved state, if there is one, and keeps it fresh until `stop` is cancelled.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`FetchError`] when the settings cannot work: a URL without TLS to another machine.
    pub fn start(settings: AuthoritySettings, stop: CancellationToken) -> Result<Arc<Self>, FetchError> {
        let fetcher = fetch::Fetcher::new(&settings)?;
        let documents = saved_state::load(&settings);
        let authority = Arc::new(Self {
            trust: ArcSwap::from_pointee(documents.trust(&settings.issuer)),
            unknown_key_seen: AtomicBool::new(false),
        });
        let task = refresh::Refresh::new(Arc::clone(&authority), fetcher, settings, documents);
        tokio::spawn(task.run(stop));
        Ok(authority)
    }

    /// The state that requests are judged by.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// Whether tokens can be verified at all.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.trust.load().keys.is_empty()
    }

    /// A token named a key that is not in the set. It is worth at most one fetch per 30 s,
    /// however many such tokens arrive, or anybody could make us hammer the authority.
    pub(crate) fn note_unknown_key(&self) {
        self.unknown_key_seen.store(true, Ordering::Relaxed);
    }

    fn take_unknown_key(&self) -> bool {
        self.unknown_key_seen.swap(false, Ordering::Relaxed)
    }

    fn replace(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }
}
