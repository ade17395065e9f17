//! Issue, read, introspect, verify and revoke tokens.

mod can_issue;
mod claims;
mod id_token;
mod introspect;
mod issue;
mod read;
mod reader;
mod revoke;
mod userinfo;
mod verify;

pub(in crate::authority) use id_token::IdTokenDraft;
pub use introspect::{ActiveToken, Introspection};
pub use issue::{Draft, Sliding};
pub(in crate::authority) use read::{ValidatedToken, check_borne};
pub use reader::TokenReader;

/// What a grant hands out (RFC 6749 section 5.1).
#[derive(Clone)]
pub struct IssuedTokens {
    pub access_token: String,
    /// Seconds.
    pub expires_in: u64,
    pub scope: String,
    /// `None` for a client: it can ask again.
    pub refresh_token: Option<String>,
    /// Who the user is, for a client that asked with `openid`.
    pub id_token: Option<String>,
}
