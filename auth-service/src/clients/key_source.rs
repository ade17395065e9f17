use std::fmt;

use shared_claims::KeySet;

/// What verifies the assertions of a client.
pub(crate) enum KeySource {
    Stored(KeySet),
    Published(KeyLocation),
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
