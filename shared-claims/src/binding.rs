//! Whether a token may be used by who presents it.

use crate::claims::AccessClaims;
use crate::confirmation::{Confirmation, Thumbprint};
use crate::error::Refusal;

/// What a request shows with its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// Nothing: anyone who bears the token may use it (RFC 6750).
    Bearer,
    /// A proof for this very request, which this key has signed (RFC 9449 section 4.3).
    Proof(Thumbprint),
    /// The client's certificate of the connection.
    Certificate(Thumbprint),
}

/// Whether a token may be used by who presents it: the one place that decides it, for each protocol.
///
/// # Errors
/// [`Refusal::Unproved`] for a bound token without its key or certificate; [`Refusal::NotBound`] for one that is presented with a
/// proof and bound to none: it was issued as another kind than its holder takes it for (RFC 9449 section 7.1).
pub fn bind(claims: &AccessClaims, presented: Presented) -> Result<(), Refusal> {
    match (claims.cnf, presented) {
        // Who has a certificate may use an unbound token as everyone may.
        (None, Presented::Bearer | Presented::Certificate(_)) => Ok(()),
        (None, Presented::Proof(_)) => Err(Refusal::NotBound),
        (Some(Confirmation::Key(bound)), Presented::Proof(shown))
        | (Some(Confirmation::Certificate(bound)), Presented::Certificate(shown))
            if bound == shown =>
        {
            Ok(())
        }
        (
            Some(Confirmation::Key(_) | Confirmation::Certificate(_)),
            Presented::Bearer | Presented::Proof(_) | Presented::Certificate(_),
        ) => Err(Refusal::Unproved),
    }
}

/// The certificate that a client has shown in the handshake of its connection, and whose key it holds. A listener that asks for
/// one puts it among the extensions of a connection or a request, where the extractors of this crate look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientCertificate(Thumbprint);

impl ClientCertificate {
    /// Of the certificate in DER, the client's own, not that of its issuer.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Self {
        Self(Thumbprint::of_certificate(der))
    }

    /// What a token that is bound to it names.
    #[must_use]
    pub fn confirmation(self) -> Confirmation {
        Confirmation::Certificate(self.0)
    }
}

impl From<Option<ClientCertificate>> for Presented {
    fn from(certificate: Option<ClientCertificate>) -> Self {
        certificate.map_or(Self::Bearer, |ClientCertificate(thumbprint)| Self::Certificate(thumbprint))
    }
}
