//! How a client proves itself.

use super::{ClientKeys, RegisteredCertificate, Workload};
use crate::clock::Timestamp;
use crate::secret::{HashedSecret, PlainSecret};

/// `token_endpoint_auth_method` (RFC 7591 section 2), and what the database holds.
pub(crate) const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// The same; the registry of methods has no name for it.
pub(crate) const WORKLOAD: &str = "workload";

/// How a registered client proves itself, by one method alone.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The first-party client behind simplejwt's endpoints; it cannot authenticate anywhere.
    FirstParty,
    /// It runs where everybody can read it, and has nothing to prove itself with (RFC 6749 section 2.1).
    Public,
    /// `client_secret_basic` and `client_secret_post`.
    Secret {
        current: HashedSecret,
        /// Still good until the given time, so that a secret can be changed without a gap.
        previous: Option<(HashedSecret, Timestamp)>,
    },
    /// `private_key_jwt` (RFC 7523 section 2.2): it signs with a key of its own, of which the authority knows the public half.
    PrivateKeyJwt(ClientKeys),
    /// It shows the token that its platform gave it (RFC 7523 section 2.2, with another issuer than the client).
    Workload(Workload),
    /// `tls_client_auth` and `self_signed_tls_client_auth` (RFC 8705 section 2): it holds the key of its certificate.
    Certificate(RegisteredCertificate),
}

impl Credentials {
    /// Whether this secret is the client's, at `now`, in constant time.
    #[must_use]
    pub fn accept_secret(&self, secret: &PlainSecret, now: Timestamp) -> bool {
        let Self::Secret { current, previous } = self else { return false };
        let previous = previous.as_ref().filter(|(_, until)| now < *until);
        current.matches(secret) || previous.is_some_and(|(hash, _)| hash.matches(secret))
    }

    /// As metadata names the method (RFC 7591 section 2); `client_secret_post` is accepted with the same secret.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::FirstParty | Self::Public => "none",
            Self::Secret { .. } => "client_secret_basic",
            Self::PrivateKeyJwt(_) => PRIVATE_KEY_JWT,
            Self::Workload(_) => WORKLOAD,
            Self::Certificate(registered) => registered.method(),
        }
    }
}
