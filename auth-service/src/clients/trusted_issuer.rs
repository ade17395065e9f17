//! Platforms whose tokens prove workloads.

use std::fmt;

use super::StoredKeys;
use super::workload::is_trust_domain;

/// An issuer of tokens for workloads: a Kubernetes cluster, GitHub Actions, a SPIFFE trust domain.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// `iss` of its tokens, byte by byte; for a trust domain `spiffe://example.org`.
    pub issuer: String,
    pub keys: IssuerKeys,
    /// `aud` of the tokens that are meant for this authority; `None` for its own issuer URL.
    pub audience: Option<String>,
}

/// The public keys of an issuer.
#[derive(Debug, Clone)]
pub enum IssuerKeys {
    /// Registered with it: a cluster shows its keys to nobody outside.
    Stored(StoredKeys),
    /// Published at a URL of their own.
    At(String),
    /// Named by its metadata (OpenID Connect Discovery section 4).
    Discovered,
}

impl TrustedIssuer {
    /// Whether it is a SPIFFE trust domain, whose bundle holds keys for other uses too.
    #[must_use]
    pub fn is_trust_domain(&self) -> bool {
        is_trust_domain(&self.issuer)
    }
}

/// Where published keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyLocation {
    /// A JWKS.
    Jwks(String),
    /// The bundle of a trust domain, whose keys for tokens are marked so (SPIFFE Trust Domain and Bundle section 4).
    SpiffeBundle(String),
    /// The metadata of this issuer says.
    Discovery(String),
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Jwks(url) | Self::SpiffeBundle(url) | Self::Discovery(url)) = self;
        f.write_str(url)
    }
}
