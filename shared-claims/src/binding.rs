//! Whether a token may be used by who presents it.

use std::borrow::Cow;

use crate::bearer::{Rejection, Scheme, unverified_token};
use crate::claims::AccessClaims;
use crate::confirmation::{Confirmation, Thumbprint};
use crate::dpop::ProofHeader;
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
}

/// What a request shows of its sender: the values of all its `Authorization` headers, and what stands behind its token.
#[derive(Debug, Clone)]
#[must_use]
pub struct Credentials<'a, H> {
    authorization: H,
    certificate: Option<ClientCertificate>,
    proof: Option<ShownProof<'a>>,
}

/// The `DPoP` headers of a request, and what a proof must be for.
#[derive(Debug, Clone)]
pub(crate) struct ShownProof<'a> {
    pub(crate) header: ProofHeader<'a>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) path: Cow<'a, str>,
}

/// A token, which is not verified, and what is shown with it.
pub(crate) struct Shown<'a> {
    pub(crate) unverified_token: &'a str,
    pub(crate) with: ShownWith<'a>,
}

/// By the scheme of its header.
pub(crate) enum ShownWith<'a> {
    Bearer(Option<ClientCertificate>),
    Proof(ShownProof<'a>),
}

impl<'a, H: Iterator<Item = &'a str>> Credentials<'a, H> {
    /// Those of a request that shows a token alone.
    pub fn new(authorization: H) -> Self {
        Self { authorization, certificate: None, proof: None }
    }

    /// Of a connection with this certificate, if it has one.
    pub fn with_certificate(self, certificate: Option<ClientCertificate>) -> Self {
        Self { certificate, ..self }
    }

    /// Of a request with these `DPoP` headers. `method` as it was sent; `path` as it was sent, from `/` on.
    pub fn with_proof(self, header: ProofHeader<'a>, method: &'a str, path: &'a str) -> Self {
        let proof = ShownProof { header, method: method.into(), path: path.into() };
        Self { proof: Some(proof), ..self }
    }

    /// # Errors
    /// [`Rejection::Missing`], also for a proof where nothing is said of the request; [`Rejection::Malformed`].
    pub(crate) fn shown(self) -> Result<Shown<'a>, Rejection> {
        let (scheme, unverified_token) = unverified_token(self.authorization)?;
        let with = match scheme {
            Scheme::Bearer => ShownWith::Bearer(self.certificate),
            Scheme::Dpop => ShownWith::Proof(self.proof.ok_or(Rejection::Missing)?),
        };
        Ok(Shown { unverified_token, with })
    }
}

impl ShownWith<'_> {
    pub(crate) fn into_owned(self) -> ShownWith<'static> {
        match self {
            Self::Bearer(certificate) => ShownWith::Bearer(certificate),
            Self::Proof(ShownProof { header, method, path }) => ShownWith::Proof(ShownProof {
                header: header.into_owned(),
                method: method.into_owned().into(),
                path: path.into_owned().into(),
            }),
        }
    }
}

impl From<Option<ClientCertificate>> for Presented {
    fn from(certificate: Option<ClientCertificate>) -> Self {
        certificate.map_or(Self::Bearer, |ClientCertificate(thumbprint)| Self::Certificate(thumbprint))
    }
}
