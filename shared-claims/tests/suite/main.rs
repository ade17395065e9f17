//! What can be said of the verifier without a service around it.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

#[cfg(all(feature = "test-util", feature = "tower"))]
mod asking;
#[cfg(all(feature = "actix", feature = "test-util", feature = "tonic", feature = "tower"))]
mod binding;
mod cache;
mod encryption;
#[cfg(all(feature = "test-util", feature = "tower"))]
mod guarding;
#[cfg(all(feature = "actix", feature = "test-util", feature = "tonic", feature = "tower"))]
mod proofs;
mod revocations;
mod verifier;
mod wycheproof;
