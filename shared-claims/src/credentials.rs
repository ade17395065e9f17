//! What a request shows of its sender, as an extractor finds it.

use std::borrow::Cow;

use crate::bearer::{Rejection, Scheme, unverified_token};
use crate::binding::ClientCertificate;
use crate::dpop::ProofHeader;

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
