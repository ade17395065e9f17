//! The one question that a route of a resource service asks: may this request pass?

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::authority::Authority;
use crate::bearer::Rejection;
use crate::binding::{Presented, bind};
use crate::cache::CachingVerifier;
use crate::claims::AccessClaims;
use crate::clock::unix_now;
use crate::credentials::{Credentials, Shown, ShownWith};
use crate::decrypting::Decryptions;
use crate::dpop::{ProofRefusal, ProofVerifier, ProvedRequest};
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::requirement::{Required, Requirement, WhenStale};
use crate::verifier::Verifier;

/// Answers from memory: what the verifier accepts and the authority has not revoked.
pub struct Guard {
    verifier: CachingVerifier,
    authority: Arc<Authority>,
    decryptions: Decryptions,
    proofs: Option<ProofVerifier>,
}

/// What a guard found of a request with a proof: a proof is good once, and more than one extractor may ask.
#[cfg(any(feature = "actix", feature = "tower"))]
#[derive(Clone)]
pub(crate) struct Admitted {
    guard: Arc<Guard>,
    claims: Arc<AccessClaims>,
}

#[cfg(any(feature = "actix", feature = "tower"))]
impl Admitted {
    pub(crate) fn by(guard: &Arc<Guard>, claims: &Arc<AccessClaims>) -> Self {
        Self { guard: Arc::clone(guard), claims: Arc::clone(claims) }
    }

    /// The claims, where it was this guard.
    pub(crate) fn claims_for(&self, guard: &Arc<Guard>) -> Option<Arc<AccessClaims>> {
        Arc::ptr_eq(&self.guard, guard).then(|| Arc::clone(&self.claims))
    }
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
        let verifier = CachingVerifier::new(verifier);
        Self { verifier, authority, decryptions: Decryptions::new(), proofs: None }
    }

    /// Accepts tokens that are bound to a key, with a proof for each request (RFC 9449); without this it refuses them all.
    #[must_use]
    pub fn with_proofs(self, proofs: ProofVerifier) -> Self {
        Self { proofs: Some(proofs), ..self }
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
        credentials: Credentials<'a, impl Iterator<Item = &'a str>>,
    ) -> Authentication {
        match credentials.shown() {
            Ok(shown) if self.verifier.opens_with_rsa(shown.unverified_token) => {
                let (guard, token) = (Arc::clone(self), shown.unverified_token.to_owned());
                let with = shown.with.into_owned();
                let opening = move || guard.check_logged(&Shown { unverified_token: &token, with });
                Authentication::Opening(Box::pin(self.decryptions.run(opening)))
            }
            shown => Authentication::Done(Some(shown.and_then(|shown| self.check_logged(&shown)))),
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
        credentials: Credentials<'a, impl Iterator<Item = &'a str>>,
    ) -> Outcome {
        let shown = credentials.shown()?;
        if self.verifier.opens_with_rsa(shown.unverified_token) {
            return self.decryptions.run_here(|| self.check_logged(&shown));
        }
        self.check_logged(&shown)
    }

    /// The claims behind the credentials of a request, on this thread.
    ///
    /// # Errors
    /// [`Rejection`], logged here with its cause.
    pub fn authenticate<'a>(&self, credentials: Credentials<'a, impl Iterator<Item = &'a str>>) -> Outcome {
        self.check_logged(&credentials.shown()?)
    }

    fn check_logged(&self, shown: &Shown<'_>) -> Outcome {
        let claims = self.check(shown.unverified_token).and_then(|claims| {
            self.bind(&claims, shown)?;
            Ok(claims)
        });
        match claims {
            Err(Rejection::Invalid(refusal)) => tracing::info!(%refusal, "token refused"),
            Err(Rejection::InvalidProof(refusal)) => tracing::info!(%refusal, "proof refused"),
            _ => {}
        }
        claims
    }

    /// Whether a token that is good may be used by who presents it. A proof is looked at after its token, and spent when it is that of
    /// its holder: a stranger causes no work here, a thief one check of a signature for each request, and neither fills memory.
    fn bind(&self, claims: &AccessClaims, shown: &Shown<'_>) -> Result<(), Rejection> {
        let proof = match &shown.with {
            ShownWith::Bearer(certificate) => {
                return bind(claims, Presented::from(*certificate)).map_err(Rejection::Invalid);
            }
            ShownWith::Proof(proof) => proof,
        };
        let verifier = self.proofs.as_ref().ok_or(Rejection::Missing)?;
        let request = ProvedRequest {
            method: &proof.method,
            path: &proof.path,
            unverified_token: Some(shown.unverified_token),
        };
        let now = unix_now();
        let checked = verifier.check(&proof.header, request, now).map_err(Rejection::InvalidProof)?;
        bind(claims, Presented::Proof(checked.key)).map_err(Rejection::Invalid)?;
        let spent = verifier.spend(&checked, now);
        // Nobody can know whether it was used before: a retry may succeed.
        if spent == Err(ProofRefusal::TooMany) {
            tracing::warn!("too many proofs are remembered: requests with a proof are refused");
            return Err(Rejection::Overloaded);
        }
        spent.map_err(Rejection::InvalidProof)
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
        match self.verifier.verify_before_binding(unverified_token, &trust.keys, unix_now()) {
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
