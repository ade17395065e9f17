//! Issue, read, introspect, verify and revoke tokens.

mod claims;
mod introspect;
mod issue;
mod read;
mod reader;
mod revoke;
mod verify;

pub use introspect::{ActiveToken, Introspection};
pub use issue::{Draft, Sliding};
pub(in crate::authority) use read::ValidatedToken;
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
}
