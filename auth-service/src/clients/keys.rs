use std::fmt;

use shared_claims::{InvalidKeySet, KeySet};

use super::workload::is_trust_domain;
use super::{KeyLocation, KeySource};

/// The public keys of a client.
#[derive(Debug, Clone)]
pub enum ClientKeys {
    /// Registered with it.
    Stored(StoredKeys),
    /// Published by it (`jwks_uri`, RFC 7591 section 2), so that it can change them by itself.
    At(String),
}

impl ClientKeys {
    pub(crate) fn source(&self) -> KeySource {
        match self {
            Self::Stored(stored) => KeySource::Stored(stored.keys.clone()),
            Self::At(url) => KeySource::Published(KeyLocation::Jwks(url.clone())),
        }
    }
}

/// A JWKS (RFC 7517 section 5), as its text and as what verifies.
#[derive(Clone)]
pub struct StoredKeys {
    jwks: String,
    keys: KeySet,
}

impl StoredKeys {
    /// # Errors
    /// [`InvalidKeySet`].
    pub fn parse(jwks: String) -> Result<Self, InvalidKeySet> {
        let keys = KeySet::from_jwks(jwks.as_bytes())?;
        Ok(Self { jwks, keys })
    }

    /// The keys of a trusted issuer: of a trust domain those of its bundle.
    ///
    /// # Errors
    /// [`InvalidKeySet`].
    pub fn parse_of_issuer(jwks: String, issuer: &str) -> Result<Self, InvalidKeySet> {
        if !is_trust_domain(issuer) {
            return Self::parse(jwks);
        }
        let keys = KeySet::from_spiffe_bundle(jwks.as_bytes())?;
        Ok(Self { jwks, keys })
    }

    #[must_use]
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The IDs of the keys, in order.
    #[must_use]
    pub fn kids(&self) -> Vec<String> {
        let mut kids = self.keys.kids();
        kids.sort();
        kids
    }

    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }
}

/// The IDs of the keys alone: a key of 4096 bits fills a screen.
impl fmt::Debug for StoredKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoredKeys").field(&self.kids()).finish()
    }
}
