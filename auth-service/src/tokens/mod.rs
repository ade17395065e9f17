//! Issue, read, introspect and revoke tokens.

mod access_token;
mod custom_claims;
mod introspect;
mod legacy;
mod legacy_key;
mod refresh_token;
mod revoke;
mod validated;
mod verify;

pub(crate) use access_token::sign;
pub use access_token::{Draft, Sliding};
pub use custom_claims::{ClaimMap, UserId, UserIdForm};
pub use introspect::{ActiveToken, Introspection};
pub use legacy::{LegacyClaims, LegacyKind, LegacySettings, LegacyTokens};
pub use legacy_key::ALGORITHMS as LEGACY_ALGORITHMS;
pub use refresh_token::{RefreshClaims, RefreshTokens};
pub use validated::SlidingClaims;

/// What a grant hands out.
#[derive(Clone)]
pub struct IssuedTokens {
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
    pub scope: String,
    /// None for machines: they can ask again.
    pub refresh_token: Option<String>,
}
