//! Proofs of possession (DPoP, RFC 9449): a request is signed by the key that its token is bound to, so that a token which was
//! stolen is of no use to the thief.

mod key;
mod proof;
mod target;

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::confirmation::Thumbprint;
use crate::replay::{Seen, SeenIds};

use proof::Proof;
use target::normal_form;

/// The algorithms that proofs may have, as a challenge names them (RFC 9449 section 7.1).
pub const PROOF_ALGORITHMS: &str = "ES256 EdDSA ES384 PS256";

/// Seconds for which a proof may be used: a request takes no longer.
const LIFETIME: u64 = 60;

/// Difference of clocks that is allowed on both sides, in seconds.
const LEEWAY: u64 = 10;

/// Most proofs that are remembered: 20,000 a second, in about 60 MiB. One holder of a token who sends as many keeps all others waiting,
/// as with any flood of requests: their rate is for the proxy to limit.
const MOST_REMEMBERED: usize = 1_600_000;

/// Checks the proofs of requests to one service. Each is accepted once, by this process.
pub struct ProofVerifier {
    /// Scheme, authority and the path before that of each request.
    bases: Vec<String>,
    seen: SeenIds,
}

/// The URL of a service is not one that proofs could name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an absolute http or https URL without query and fragment")]
pub struct InvalidServiceUrl;

/// The `DPoP` headers of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofHeader<'a> {
    /// There is none.
    None,
    /// The value of the only one.
    One(Cow<'a, str>),
    /// There are more.
    Several,
}

impl<'a> ProofHeader<'a> {
    /// From the values of all of them.
    #[must_use]
    pub fn of(mut values: impl Iterator<Item = &'a str>) -> Self {
        match (values.next(), values.next()) {
            (None, _) => Self::None,
            (Some(only), None) => Self::One(only.into()),
            (Some(_), Some(_)) => Self::Several,
        }
    }

    /// For a task of its own.
    #[must_use]
    pub fn into_owned(self) -> ProofHeader<'static> {
        match self {
            Self::None => ProofHeader::None,
            Self::One(proof) => ProofHeader::One(proof.into_owned().into()),
            Self::Several => ProofHeader::Several,
        }
    }
}

/// What a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct ProvedRequest<'a> {
    /// As sent: case matters (RFC 9110 section 9.1).
    pub method: &'a str,
    /// The path as it was sent, from `/` on; a query is passed over.
    pub path: &'a str,
    /// The access token beside it; none where one is asked for.
    pub unverified_token: Option<&'a str>,
}

/// Why a proof was refused; the words are for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofRefusal {
    /// No `DPoP` header.
    Missing,
    /// More than one.
    Several,
    /// Not a compact JWS with strict JSON, or with a header parameter that is not allowed.
    Malformed,
    /// `typ` is not dpop+jwt.
    Type,
    /// `alg` is missing, or none that proofs may have.
    Algorithm,
    /// `jwk` is missing, or no public key for `alg`.
    Key,
    /// `jwk` has a private or symmetric member.
    PrivateKey,
    /// The signature does not verify with the key.
    Signature,
    /// A claim is missing, or has another type or range than its definition.
    Claim(&'static str),
    /// `htm` is another method.
    Method,
    /// `htu` is another URL.
    Target,
    /// `ath` is missing, or the hash of another token.
    Token,
    /// Too old, or `exp` has passed.
    Expired,
    /// `iat` or `nbf` lies in the future.
    NotYetValid,
    /// It was used before.
    Replayed,
    /// As many are remembered as may be.
    TooMany,
}

impl ProofVerifier {
    /// For a service that is reached at these URLs, such as `https://notes.example.com`: what its clients call, not what a proxy makes
    /// of it, and never taken from a request, whose sender could name another one.
    ///
    /// # Errors
    /// [`InvalidServiceUrl`].
    pub fn new<U: AsRef<str>>(service_urls: impl IntoIterator<Item = U>) -> Result<Self, InvalidServiceUrl> {
        let base = |url: &str| {
            let normal = normal_form(url).filter(|_| !url.contains(['?', '#']))?;
            Some(normal.trim_end_matches('/').to_owned())
        };
        let bases: Option<Vec<String>> = service_urls.into_iter().map(|url| base(url.as_ref())).collect();
        Ok(Self { bases: bases.ok_or(InvalidServiceUrl)?, seen: SeenIds::new(MOST_REMEMBERED) })
    }

    /// Checks the one proof of a request at `now`, in seconds since the epoch (RFC 9449 section 4.3): the thumbprint of its key.
    /// It is not spent yet.
    ///
    /// # Errors
    /// [`ProofRefusal`].
    pub fn check(
        &self,
        unverified_proof: &ProofHeader<'_>,
        request: ProvedRequest<'_>,
        now: u64,
    ) -> Result<CheckedProof, ProofRefusal> {
        let proof = match unverified_proof {
            ProofHeader::None => return Err(ProofRefusal::Missing),
            ProofHeader::Several => return Err(ProofRefusal::Several),
            ProofHeader::One(proof) => Proof::read(proof)?,
        };
        if proof.htm != request.method {
            return Err(ProofRefusal::Method);
        }
        let named = normal_form(&proof.htu).ok_or(ProofRefusal::Target)?;
        // A query is no part of it, however long it is.
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let is_of = |base: &String| normal_form(&format!("{base}{path}")).as_ref() == Some(&named);
        if !path.starts_with('/') || !self.bases.iter().any(is_of) {
            return Err(ProofRefusal::Target);
        }
        // A proof that names a token where none is presented may do so: its request says nothing of one.
        let names_token = |token: &str| proof.ath.as_deref() == Some(token_hash(token).as_str());
        if request.unverified_token.is_some_and(|token| !names_token(token)) {
            return Err(ProofRefusal::Token);
        }
        check_times(&proof, now)?;
        let Proof { key, jti, nonce, iat, .. } = proof;
        Ok(CheckedProof { key, unverified_nonce: nonce, jti, expires_at: iat + LIFETIME + LEEWAY })
    }

    /// Spends a proof, once its token has been found to be good and bound to its key: nobody else can fill the memory.
    ///
    /// # Errors
    /// [`ProofRefusal::Replayed`], [`ProofRefusal::TooMany`].
    pub fn spend(&self, proof: &CheckedProof, now: u64) -> Result<(), ProofRefusal> {
        match self.seen.note(&proof.key.octets(), &proof.jti, proof.expires_at, now) {
            Seen::First => Ok(()),
            Seen::Again => Err(ProofRefusal::Replayed),
            Seen::Full => Err(ProofRefusal::TooMany),
        }
    }
}

/// A proof that holds for its request.
#[derive(Debug, Clone)]
pub struct CheckedProof {
    /// Of the key that signed it.
    pub key: Thumbprint,
    /// Whose it is, and of when, has not been looked at.
    pub unverified_nonce: Option<String>,
    jti: String,
    expires_at: u64,
}

fn check_times(proof: &Proof, now: u64) -> Result<(), ProofRefusal> {
    let latest_start = now + LEEWAY;
    if proof.iat > latest_start || proof.nbf.is_some_and(|nbf| nbf > latest_start) {
        return Err(ProofRefusal::NotYetValid);
    }
    let is_old = now > proof.iat + LIFETIME + LEEWAY;
    if is_old || proof.exp.is_some_and(|exp| now >= exp + LEEWAY) {
        return Err(ProofRefusal::Expired);
    }
    Ok(())
}

/// `ath`: SHA-256 of the token's text, in base64url (RFC 9449 section 4.2).
fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

impl fmt::Display for ProofRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no proof"),
            Self::Several => f.write_str("more than one proof"),
            Self::Malformed => {
                f.write_str("not a compact JWS, or with a header parameter that is not allowed")
            }
            Self::Type => f.write_str("another kind of token"),
            Self::Algorithm => f.write_str("an algorithm that proofs may not have"),
            Self::Key => f.write_str("no public key for the algorithm"),
            Self::PrivateKey => f.write_str("a private key"),
            Self::Signature => f.write_str("signature does not verify"),
            Self::Claim(name) => write!(f, "claim `{name}` is missing or malformed"),
            Self::Method => f.write_str("for another method"),
            Self::Target => f.write_str("for another URL"),
            Self::Token => f.write_str("for another token"),
            Self::Expired => f.write_str("too old"),
            Self::NotYetValid => f.write_str("not valid yet"),
            Self::Replayed => f.write_str("used before"),
            Self::TooMany => f.write_str("too many proofs are remembered"),
        }
    }
}

impl std::error::Error for ProofRefusal {}
