//! The one question that a route of a resource service asks: may this request pass?

use std::sync::Arc;

use crate::authority::Authority;
use crate::bearer::{Rejection, unverified_bearer_token};
use crate::cache::CachingVerifier;
use crate::claims::AccessClaims;
use crate::clock::unix_now;
use crate::error::Refusal;
use crate::verifier::Verifier;

/// A route's need, as a type, so that a handler cannot be written without naming it.
pub trait RequiredScope {
    /// The scope-token (RFC 6749 section 3.3).
    const SCOPE: &'static str;
}

/// Answers from memory: what the verifier accepts and the authority has not taken back.
pub struct Guard {
    verifier: CachingVerifier,
    authority: Arc<Authority>,
}

impl Guard {
    #[must_use]
    pub fn new(verifier: Verifier, authority: Arc<Authority>) -> Self {
        Self { verifier: CachingVerifier::new(verifier), authority }
    }

    /// The claims behind a request's `Authorization` headers.
    ///
    /// # Errors
    /// [`Rejection`], logged here with its cause.
    pub fn authenticate<'a>(
        &self,
        headers: impl Iterator<Item = &'a str>,
    ) -> Result<Arc<AccessClaims>, Rejection> {
        let claims = unverified_bearer_token(headers).and_then(|token| self.check(token));
        if let Err(Rejection::Invalid(refusal)) = claims {
            tracing::info!(%refusal, "token refused");
        }
        claims
    }

    /// Whether verified claims hold the scope that a route needs.
    ///
    /// # Errors
    /// [`Rejection::InsufficientScope`].
    pub fn authorize<S: RequiredScope>(claims: &AccessClaims) -> Result<(), Rejection> {
        if claims.scope.contains(S::SCOPE) { Ok(()) } else { Err(Rejection::InsufficientScope(S::SCOPE)) }
    }

    fn check(&self, unverified_token: &str) -> Result<Arc<AccessClaims>, Rejection> {
        let trust = self.authority.trust();
        if trust.keys.is_empty() {
            return Err(Rejection::NotReady);
        }
        match self.verifier.verify(unverified_token, &trust.keys, unix_now()) {
            Ok(claims) if trust.revocations.hit(&claims) => Err(Rejection::Invalid(Refusal::Revoked)),
            Ok(claims) => Ok(claims),
            Err(refusal) => {
                if refusal == Refusal::UnknownKey {
                    self.authority.note_unknown_key();
                }
                Err(Rejection::Invalid(refusal))
            }
        }
    }
}
