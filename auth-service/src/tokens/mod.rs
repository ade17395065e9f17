//! Tokens: what a refresh token and a token of the previous issuer say, and the claims of a user.

mod custom_claims;
mod dpop_nonces;
mod legacy;
mod legacy_key;
pub(crate) mod refresh_token;

pub use custom_claims::{ClaimMap, UserId, UserIdForm};
pub use dpop_nonces::DpopNonces;
pub use legacy::{LegacyClaims, LegacyKind, LegacySettings, LegacyTokens};
pub use legacy_key::ALGORITHMS as LEGACY_ALGORITHMS;
pub use refresh_token::{RefreshClaims, RefreshTokens};
