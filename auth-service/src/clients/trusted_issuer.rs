//! Platforms whose tokens prove workloads.

use super::workload::is_trust_domain;
use super::{KeyLocation, KeySource, StoredKeys};

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
    /// Registered with it: many clusters do not publish their keys outside.
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

    pub(crate) fn key_source(&self) -> KeySource {
        match &self.keys {
            IssuerKeys::Stored(stored) => KeySource::Stored(stored.keys().clone()),
            IssuerKeys::At(url) if self.is_trust_domain() => {
                KeySource::Published(KeyLocation::SpiffeBundle(url.clone()))
            }
            IssuerKeys::At(url) => KeySource::Published(KeyLocation::Jwks(url.clone())),
            IssuerKeys::Discovered => KeySource::Published(KeyLocation::Discovery(self.issuer.clone())),
        }
    }
}
