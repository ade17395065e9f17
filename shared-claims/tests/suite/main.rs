//! What can be said of the verifier without a service around it.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod cache;
mod encryption;
#[cfg(all(feature = "test-util", feature = "tower"))]
mod guarding;
mod revocations;
mod verifier;
mod wycheproof;
