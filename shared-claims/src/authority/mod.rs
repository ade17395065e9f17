//! The authority as seen from a resource service: its key set and its revocations, kept at hand.
//!
//! Nothing here is on the way of a request. Background tasks follow the authority; requests read the last
//! good state from memory. The state is saved to a file, so that a service starts while the authority is away.
//!
//! With credentials of a client the authority is followed by its gRPC feeds, without by its published
//! documents. Either way what happens there is known here within milliseconds, and [`Freshness`] says how
//! long ago the authority last said that there is nothing newer.

#[cfg(feature = "_following")]
mod backoff;
#[cfg(feature = "documents")]
mod documents;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "documents")]
mod fetch;
mod freshness;
#[cfg(feature = "_following")]
mod held;
#[cfg(feature = "_following")]
mod saved_state;
#[cfg(feature = "_following")]
mod saving;
#[cfg(feature = "_following")]
mod settings;
#[cfg(feature = "_following")]
mod shared;
#[cfg(feature = "_following")]
mod start;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};

use crate::public_keys::KeySet;
use crate::revocations::{Fingerprints, Revocations, RevocationsWriter};
use freshness::LastContact;

pub use freshness::Freshness;
#[cfg(feature = "feed")]
pub use settings::FeedSettings;
#[cfg(feature = "_following")]
pub use settings::{AuthoritySettings, StartError};
#[cfg(feature = "_following")]
pub use tokio_util::sync::CancellationToken;

/// What a verifier trusts at one moment.
#[derive(Clone)]
#[doc(hidden)]
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
    fn new(last_contact: LastContact, revocations: Revocations, needs_revocations: bool) -> Arc<Self> {
        Arc::new(Self {
            trust: ArcSwap::from_pointee(Trust { keys: KeySet::default(), revocations }),
            last_contact,
            refused_updates: AtomicU64::new(0),
            unknown_key_seen: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            needs_revocations,
        })
    }

    /// One that says these keys and no more, for ever.
    pub(crate) fn fixed(keys: KeySet) -> Arc<Self> {
        // Nothing is revoked: the key of the fingerprints hides nothing.
        let nothing = RevocationsWriter::new(Fingerprints::with_key([0; 16])).readers();
        let authority = Self::new(LastContact::at_age(None), nothing.clone(), false);
        authority.replace(Trust { keys, revocations: nothing });
        authority
    }

    /// One whose answers a test gives; contact with it is never lost.
    #[cfg(feature = "test-util")]
    pub(crate) fn in_tests(trust: Trust) -> Arc<Self> {
        let authority = Self::new(LastContact::always(), trust.revocations.clone(), false);
        authority.replace(trust);
        authority
    }

    /// The state that requests are evaluated by.
    #[doc(hidden)]
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
    #[cfg(feature = "_following")]
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

    #[cfg(feature = "documents")]
    fn take_unknown_key(&self) -> bool {
        self.unknown_key_seen.swap(false, Ordering::Relaxed)
    }

    #[cfg(feature = "_following")]
    fn refused_update(&self) {
        self.refused_updates.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn replace(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }
}
