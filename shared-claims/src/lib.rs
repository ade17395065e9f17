#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "guard")]
mod credentials;
#[cfg(feature = "guard")]
mod decrypting;
#[cfg(any(feature = "tonic", feature = "tower"))]
mod http_request;
#[cfg(feature = "test-util")]
mod test_issuer;
#[cfg(feature = "tonic")]
pub mod tonic;
#[cfg(feature = "tower")]
pub mod tower;

// What the authority itself shares with verifiers. No part of the interface: it changes without notice.
#[doc(hidden)]
pub mod actor;
#[cfg(feature = "guard")]
#[doc(hidden)]
pub mod authority;
#[doc(hidden)]
pub mod bearer;
#[doc(hidden)]
pub mod binding;
#[doc(hidden)]
pub mod cache;
#[doc(hidden)]
pub mod claims;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod confirmation;
#[doc(hidden)]
pub mod dpop;
#[doc(hidden)]
pub mod encryption;
#[doc(hidden)]
pub mod error;
#[cfg(feature = "guard")]
#[doc(hidden)]
pub mod guard;
#[doc(hidden)]
pub mod public_keys;
#[doc(hidden)]
pub mod replay;
mod requirement;
#[doc(hidden)]
pub mod revocations;
#[doc(hidden)]
pub mod scope;
#[doc(hidden)]
pub mod strict;
#[doc(hidden)]
pub mod verifier;

#[doc(inline)]
pub use actor::Actors;
#[cfg(feature = "feed")]
#[doc(inline)]
pub use authority::FeedSettings;
#[cfg(feature = "guard")]
#[doc(inline)]
pub use authority::{Authority, Freshness};
#[cfg(feature = "_following")]
#[doc(inline)]
pub use authority::{AuthoritySettings, CancellationToken, StartError};
#[doc(inline)]
pub use bearer::Rejection;
#[doc(inline)]
pub use binding::{ClientCertificate, Presented, bind};
#[doc(inline)]
pub use claims::{AccessClaims, ExtraClaims};
#[doc(inline)]
pub use confirmation::{Confirmation, Thumbprint};
#[cfg(feature = "guard")]
#[doc(inline)]
pub use credentials::Credentials;
#[doc(inline)]
pub use dpop::{InvalidServiceUrl, ProofHeader, ProofRefusal, ProofVerifier};
#[doc(inline)]
pub use encryption::{DecryptionKeys, InvalidDecryptionKey};
#[doc(inline)]
pub use error::Refusal;
#[cfg(feature = "guard")]
#[doc(inline)]
pub use guard::{Authentication, Guard};
#[doc(inline)]
pub use public_keys::{InvalidKeySet, KeySet};
pub use requirement::{Required, Requirement, Scopes, WhenStale};
#[doc(inline)]
pub use scope::ScopeSet;
#[cfg(feature = "test-util")]
pub use test_issuer::{TestIssuer, TestToken};
#[doc(inline)]
pub use verifier::{Verifier, VerifierBuilder};
