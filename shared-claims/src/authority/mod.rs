//! The authority as seen from a resource service: its key set and its revocations, kept at hand.
//!
//! Nothing here is on the way of a request. Background tasks follow the authority; requests read the last
//! good state from memory. The state is saved to a file, so that a service starts while the authority is away.
//!
//! With credentials of a client the authority is followed by its gRPC feeds, without by its published
//! documents. Either way what happens there is known here within milliseconds, and [`Freshness`] says how
//! long ago the authority last said that there is nothing newer.

mod backoff;
mod documents;
mod feed;
mod fetch;
mod freshness;
mod held;
mod saved_state;
mod saving;
mod shared;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use reqwest::header::HeaderMap;

use crate::public_keys::KeySet;
use crate::revocations::{Fingerprints, Revocations, RevocationsWriter};
use documents::Documents;
use feed::Feed;
use freshness::LastContact;
use held::Held;
use shared::SharedState;

pub use fetch::FetchError;
pub use freshness::Freshness;
pub use tokio_util::sync::CancellationToken;

/// Where the authority is, and how it is asked.
#[derive(Clone)]
pub struct AuthoritySettings {
    /// Base URL, without a trailing slash: `https://auth.example`.
    pub url: String,
    /// The `iss` that its documents carry.
    pub issuer: String,
    /// Certificate authorities in PEM for its certificates, beside those that the operating system trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// Its feeds over gRPC; `None` follows the published documents.
    pub feed: Option<FeedSettings>,
    /// Folder for the last good state; `None` keeps it in memory only.
    pub data_dir: Option<PathBuf>,
    /// Allows `http://` to a host that is not loopback: only inside a network that is trusted.
    pub allow_http: bool,
    /// Accepts tokens as soon as there are keys, also before any revocations were received. Off, unless a service must
    /// start while the authority is away and has no saved state.
    pub accept_without_revocations: bool,
    /// Puts the trace that is under way into the headers of a request (`traceparent`, W3C Trace Context). It is called
    /// within a span of the target `traces`, one for each question and for each feed.
    pub trace: Option<fn(&mut HeaderMap)>,
}

impl AuthoritySettings {
    /// An authority whose `iss` is its URL, followed by its published documents, with its state in memory only.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            issuer: url.to_owned(),
            ca_pem: None,
            feed: None,
            data_dir: None,
            allow_http: false,
            accept_without_revocations: false,
            trace: None,
        }
    }
}

/// The authority's gRPC listener, and the client that a verifier is there. No `Debug`: it holds the secret.
#[derive(Clone)]
pub struct FeedSettings {
    /// `https://auth.example:9090`.
    pub url: String,
    /// ID of the client that follows the feeds.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// What a verifier trusts at one moment.
#[derive(Clone)]
pub struct Trust {
    /// The public keys.
    pub keys: KeySet,
    /// What was revoked.
    pub revocations: Revocations,
}

/// A handle on the last good state.
pub struct Authority {
    trust: ArcSwap<Trust>,
    last_contact: LastContact,
    refused_updates: AtomicU64,
    unknown_key_seen: AtomicBool,
    /// Every revocation up to some moment was received, or loaded.
    complete: AtomicBool,
    needs_revocations: bool,
}

impl Authority {
    /// Starts from the saved state, if there is one, and keeps it fresh until `stop` is cancelled.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`FetchError`] when the settings cannot work: a URL without TLS to another machine.
    pub fn start(settings: AuthoritySettings, stop: CancellationToken) -> Result<Arc<Self>, FetchError> {
        let saved = saved_state::load(settings.data_dir.as_deref(), &settings.issuer);
        let fingerprints = match &saved {
            Some(saved) => saved.fingerprints(),
            None => Fingerprints::random()?,
        };
        let nothing = RevocationsWriter::new(fingerprints).readers();
        let authority = Arc::new(Self {
            trust: ArcSwap::from_pointee(Trust { keys: KeySet::default(), revocations: nothing }),
            last_contact: LastContact::at_age(saved.as_ref().and_then(saved_state::Saved::age)),
            refused_updates: AtomicU64::new(0),
            unknown_key_seen: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            needs_revocations: !settings.accept_without_revocations,
        });
        let mut held = Held::new(Arc::clone(&authority), fingerprints);
        if let Some(saved) = saved {
            if saved.is_complete() {
                let _ = authority.is_complete();
            }
            saved.into_held(&mut held);
        }
        let state = SharedState::new(Arc::clone(&authority), held);
        match &settings.feed {
            Some(feed) => {
                tokio::spawn(Feed::new(state.clone(), feed, &settings)?.run(stop.clone()));
            }
            None => {
                let fetcher = fetch::Fetcher::new(&settings)?;
                tokio::spawn(Documents::new(state.clone(), fetcher, settings.clone()).run(stop.clone()));
            }
        }
        tokio::spawn(saving::keep_saved(state, settings, stop));
        Ok(authority)
    }

    /// The state that requests are evaluated by.
    #[must_use]
    pub fn trust(&self) -> Guard<Arc<Trust>> {
        self.trust.load()
    }

    /// Whether tokens can be verified at all: there are keys, and every revocation up to some moment was received once
    /// or loaded from the saved state. With keys alone, revoked tokens would be accepted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.trust.load().keys.is_empty() && self.knows_revocations()
    }

    pub(crate) fn knows_revocations(&self) -> bool {
        !self.needs_revocations || self.complete.load(Ordering::Acquire)
    }

    /// Says whether it was not before: then that has to be saved.
    fn is_complete(&self) -> bool {
        !self.complete.swap(true, Ordering::AcqRel)
    }

    /// How old the state is.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.last_contact.freshness()
    }

    /// How often something came that was no good: malformed, out of step, too large.
    #[must_use]
    pub fn refused_updates(&self) -> u64 {
        self.refused_updates.load(Ordering::Relaxed)
    }

    /// A token named a key that is not in the set. It is worth at most one fetch per 30 s,
    /// however many such tokens arrive, or anybody could make us hammer the authority.
    pub(crate) fn note_unknown_key(&self) {
        // Checked first: readers share this cache line as long as it is not written.
        if !self.unknown_key_seen.load(Ordering::Relaxed) {
            self.unknown_key_seen.store(true, Ordering::Relaxed);
        }
    }

    fn take_unknown_key(&self) -> bool {
        self.unknown_key_seen.swap(false, Ordering::Relaxed)
    }

    fn refused_update(&self) {
        self.refused_updates.fetch_add(1, Ordering::Relaxed);
    }

    fn replace(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }
}
