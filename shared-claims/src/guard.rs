//! The one question that a route of a resource service asks: may this request pass?

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::authority::Authority;
use crate::bearer::{Rejection, unverified_bearer_token};
use crate::cache::CachingVerifier;
use crate::claims::AccessClaims;
use crate::clock::unix_now;
use crate::decrypting::Decryptions;
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::requirement::{Required, Requirement, WhenStale};
use crate::verifier::Verifier;

/// Answers from memory: what the verifier accepts and the authority has not revoked.
pub struct Guard {
    verifier: CachingVerifier,
    authority: Arc<Authority>,
    decryptions: Decryptions,
}

type Outcome = Result<Arc<AccessClaims>, Rejection>;

/// The answer of [`Guard::authenticate_in_loop`]: there at once, unless an RSA key has to open the token.
pub enum Authentication {
    /// Taken when it was polled.
    Done(Option<Outcome>),
    /// An encrypted token, which is opened on another thread.
    Opening(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl Future for Authentication {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match self.get_mut() {
            Self::Done(outcome) => Poll::Ready(outcome.take().unwrap_or(Err(Rejection::NotReady))),
            Self::Opening(opening) => opening.as_mut().poll(context),
        }
    }
}

impl Guard {
    /// Lets requests pass by what `verifier` accepts and `authority` knows.
    #[must_use]
    pub fn new(verifier: Verifier, authority: Arc<Authority>) -> Self {
        Self { verifier: CachingVerifier::new(verifier), authority, decryptions: Decryptions::new() }
    }

    /// A guard over a fixed key set, for a service that follows no authority: it sees no new keys and no revocations, so that a
    /// revoked token passes until it expires, and a route that refuses when stale refuses everything.
    #[must_use]
    pub fn with_fixed_keys(verifier: Verifier, keys: KeySet) -> Self {
        Self::new(verifier, Authority::fixed(keys))
    }

    /// As [`Guard::authenticate`], for callers on an event loop: a token that an RSA key has to open is opened on another
    /// thread, a few at a time. Needs a tokio runtime then.
    pub fn authenticate_in_loop<'a>(
        self: &Arc<Self>,
        headers: impl Iterator<Item = &'a str>,
    ) -> Authentication {
        match unverified_bearer_token(headers) {
            Ok(token) if self.verifier.opens_with_rsa(token) => {
                let (guard, token) = (Arc::clone(self), token.to_owned());
                Authentication::Opening(Box::pin(self.decryptions.run(move || guard.check_logged(&token))))
            }
            token => Authentication::Done(Some(token.and_then(|token| self.check_logged(token)))),
        }
    }

    /// As [`Guard::authenticate`], for callers on a runtime that cannot wait, as a tonic interceptor: a token that an RSA
    /// key has to open is opened on this thread, whose other tasks move to another one meanwhile. It waits for nothing:
    /// interceptors that waited for threads could hold all threads that there are.
    ///
    /// # Errors
    /// As [`Guard::authenticate`]; [`Rejection::Overloaded`] when as many tokens are being opened as may be at once, and on
    /// a runtime with one thread only.
    pub fn authenticate_at_once<'a>(
        &self,
        headers: impl Iterator<Item = &'a str>,
    ) -> Result<Arc<AccessClaims>, Rejection> {
        let token = unverified_bearer_token(headers)?;
        if self.verifier.opens_with_rsa(token) {
            return self.decryptions.run_here(|| self.check_logged(token));
        }
        self.check_logged(token)
    }

    /// The claims behind a request's `Authorization` headers, on this thread.
    ///
    /// # Errors
    /// [`Rejection`], logged here with its cause.
    pub fn authenticate<'a>(&self, headers: impl Iterator<Item = &'a str>) -> Outcome {
        unverified_bearer_token(headers).and_then(|token| self.check_logged(token))
    }

    fn check_logged(&self, unverified_token: &str) -> Outcome {
        let claims = self.check(unverified_token);
        if let Err(Rejection::Invalid(refusal)) = claims {
            tracing::info!(%refusal, "token refused");
        }
        claims
    }

    /// Whether verified claims have what a route needs, and whether what is known is fresh enough for it.
    ///
    /// # Errors
    /// [`Rejection::Stale`], [`Rejection::InsufficientScope`], [`Rejection::InsufficientRole`].
    pub fn authorize<R: Requirement>(&self, claims: &AccessClaims) -> Result<(), Rejection> {
        self.permits(claims, &R::REQUIRED)
    }

    /// The same where the need is known at run time only.
    ///
    /// # Errors
    /// As [`Guard::authorize`].
    pub fn permits(&self, claims: &AccessClaims, required: &Required) -> Result<(), Rejection> {
        let is_stale = match required.when_stale {
            WhenStale::Continue => false,
            WhenStale::RefuseAbove(bound) => !self.authority.freshness().is_within(bound),
        };
        if is_stale {
            Err(Rejection::Stale)
        } else if !required.scopes.are_held(claims) {
            Err(Rejection::InsufficientScope(required.scopes))
        } else if !required.has_role(claims) {
            Err(Rejection::InsufficientRole)
        } else {
            Ok(())
        }
    }

    fn check(&self, unverified_token: &str) -> Outcome {
        // In this order: what is known by now is in what is loaded next.
        let knows_revocations = self.authority.knows_revocations();
        let trust = self.authority.trust();
        if trust.keys.is_empty() || !knows_revocations {
            return Err(Rejection::NotReady);
        }
        match self.verifier.verify(unverified_token, &trust.keys, unix_now()) {
            Ok(claims) if trust.revocations.matches(&claims) => Err(Rejection::Invalid(Refusal::Revoked)),
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
