//! Verified tokens, kept so that one which is seen again costs a lookup instead of a signature.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::claims::AccessClaims;
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::verifier::Verifier;

/// Memory for kept tokens, in bytes, unless a caller sets another bound: about 5,000 of them.
pub const DEFAULT_CACHE_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of an entry besides the token's text and its claims, which are about as long: the bookkeeping of the cache.
const ENTRY_OVERHEAD: u64 = 512;

/// Bytes of a common entry, from which the cache derives the number of its places.
const COMMON_ENTRY: u64 = 1536;

/// A [`Verifier`] that remembers what it accepted.
///
/// Each has a cache of its own, so that no answer can be given for another issuer, audience or type
/// (fast-jwt GHSA-rp9m-7r4c-75qg, Oathkeeper CVE-2026-33496). The whole token is the key. A hit is
/// evaluated by the clock again, and holds only under the key set that it was verified with. What was
/// refused is not kept: garbage can push nothing out. Revocation is the caller's next question, each time.
pub struct CachingVerifier {
    verifier: Verifier,
    accepted: Cache<Box<str>, Arc<Accepted>, Bytes>,
}

struct Accepted {
    claims: Arc<AccessClaims>,
    keys: KeySet,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Box<str>, Arc<Accepted>> for Bytes {
    fn weight(&self, token: &Box<str>, _: &Arc<Accepted>) -> u64 {
        2 * token.len() as u64 + ENTRY_OVERHEAD
    }
}

impl CachingVerifier {
    /// Keeps [`DEFAULT_CACHE_BYTES`].
    #[must_use]
    pub fn new(verifier: Verifier) -> Self {
        Self::with_capacity(verifier, DEFAULT_CACHE_BYTES)
    }

    /// Keeps `bytes` of tokens and their claims; what was not asked for in a while goes first.
    #[must_use]
    pub fn with_capacity(verifier: Verifier, bytes: u64) -> Self {
        let places = usize::try_from(bytes / COMMON_ENTRY).unwrap_or(usize::MAX);
        Self { verifier, accepted: Cache::with_weighter(places, bytes, Bytes) }
    }

    /// As [`Verifier::verify_before_binding`], for the same answer.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn verify_before_binding(
        &self,
        unverified_token: &str,
        keys: &KeySet,
        now: u64,
    ) -> Result<Arc<AccessClaims>, Refusal> {
        // Before anything is made of it, hashing included.
        self.verifier.check_length(unverified_token)?;
        match self.accepted.get(unverified_token) {
            Some(seen) if seen.keys.is_same(keys) => {
                self.verifier.check_times(&seen.claims, now).inspect_err(|_| {
                    self.accepted.remove(unverified_token);
                })?;
                Ok(Arc::clone(&seen.claims))
            }
            _ => self.verify_uncached(unverified_token, keys, now),
        }
    }

    /// Whether this token must be opened with an RSA key: it is encrypted to one, and not kept.
    #[cfg(feature = "guard")]
    pub(crate) fn opens_with_rsa(&self, unverified_token: &str) -> bool {
        self.verifier.check_length(unverified_token).is_ok()
            && self.verifier.opens_with_rsa(unverified_token)
            && !self.accepted.contains_key(unverified_token)
    }

    /// Number of tokens that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn verify_uncached(
        &self,
        unverified_token: &str,
        keys: &KeySet,
        now: u64,
    ) -> Result<Arc<AccessClaims>, Refusal> {
        let claims = Arc::new(self.verifier.verify_before_binding(unverified_token, keys, now)?);
        let accepted = Accepted { claims: Arc::clone(&claims), keys: keys.clone() };
        self.accepted.insert(unverified_token.into(), Arc::new(accepted));
        Ok(claims)
    }
}
