use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use shared_claims::Verifier;
use shared_claims::cache::CachingVerifier;

use crate::clock::Timestamp;
use crate::revocations::{ClientLimiter, RevocationLog};

/// Names that introspection keeps, at most 150 characters each.
const CACHED_USERNAMES: usize = 10_000;

/// Exchanges of tokens that are known to be in the audit log, a few hundred bytes each.
const NOTED_EXCHANGES: usize = 50_000;

/// Clock difference between replicas that is allowed at the start of a token's life, in seconds.
const START_LEEWAY: Duration = Duration::from_secs(5);

/// What reads the authority's own tokens, whatever their audience, and knows which of them are revoked.
pub struct TokenReader {
    pub(crate) verifier: CachingVerifier,
    pub revocations: RevocationLog,
    /// Names by user ID, as far as they were asked for.
    pub(crate) usernames: Cache<String, Arc<str>>,
    /// Bounds how fast a client revokes its own tokens.
    pub(crate) client_limiter: ClientLimiter,
    /// Exchanges that are in the audit log, and since when.
    pub(crate) noted_exchanges: Cache<String, Timestamp>,
}

impl TokenReader {
    /// For the tokens of one issuer. `leeway` is how long a token is valid after its `exp`.
    ///
    /// # Errors
    /// Without randomness of the system.
    pub fn new(issuer: &str, leeway: Duration) -> Result<Self, String> {
        // Its own clock set the times of the token: no leeway at the end but what is set.
        let verifier = Verifier::of_any_audience(issuer.to_owned())
            .plain_jwt()
            .leeway(START_LEEWAY)
            .expiry_leeway(leeway)
            .build();
        Ok(Self {
            verifier: CachingVerifier::new(verifier),
            revocations: RevocationLog::new().map_err(|error| error.to_string())?,
            usernames: Cache::new(CACHED_USERNAMES),
            client_limiter: ClientLimiter::default(),
            noted_exchanges: Cache::new(NOTED_EXCHANGES),
        })
    }
}
