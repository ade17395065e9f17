//! All that a resource service needs to verify Signet's access tokens, and nothing that can sign.
//!
//! A resource service holds public keys only. This crate gives it:
//!
//! | module | what it is |
//! |---|---|
//! | [`claims`], [`scope`] | what a verified access token says (RFC 9068) |
//! | [`public_keys`] | a JWKS that was checked key by key (RFC 7517) |
//! | [`strict`] | the pre-parse: what it lets through has one reading only |
//! | [`verifier`] | every knob of verification, fixed once (RFC 8725) |
//! | [`encryption`] | tokens that only their audience can read (RFC 7516) |
//! | [`cache`] | a verifier that remembers what it accepted |
//! | [`revocations`] | what the authority has revoked before its time |
//! | [`bearer`] | from an `Authorization` header to claims, or to one of four rejections (RFC 6750) |
//! | `authority`, `guard` (feature `authority`) | keeps keys and revocations at hand, in memory and on disk; the one question a route asks |
//! | `actix`, `tonic` (features) | the extractor and the interceptor |
//!
//! Invariants, each held by a test:
//! - There is no symmetric key type in the public interface, so that a public key can never be
//!   taken for a MAC secret (the RS256-to-HS256 confusion, CVE-2015-9235).
//! - Nothing in a token chooses where trust comes from: `jwk`, `jku`, `x5u`, `x5c` refuse the token.
//! - Verification does no input or output: its cost is bounded by the size cap alone.

#![warn(missing_docs)]

pub mod bearer;
pub mod cache;
pub mod claims;
pub mod clock;
pub mod encryption;
pub mod error;
pub mod public_keys;
pub mod revocations;
pub mod scope;
pub mod strict;
pub mod verifier;

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "authority")]
pub mod authority;
#[cfg(feature = "authority")]
mod decrypting;
#[cfg(feature = "authority")]
pub mod guard;
#[cfg(feature = "tonic")]
pub mod tonic;

pub use cache::CachingVerifier;
pub use claims::AccessClaims;
pub use error::Refusal;
pub use public_keys::KeySet;
pub use scope::{Scope, ScopeSet};
pub use verifier::Verifier;
