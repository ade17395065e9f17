//! Issue, read, introspect, verify and revoke tokens.

mod can_issue;
mod claims;
mod draft;
mod exchanged;
mod id_token;
mod introspect;
mod issue;
mod read;
mod reader;
mod revoke;
mod userinfo;
mod verify;

pub use draft::{Draft, Sliding};
pub(in crate::authority) use exchanged::ExchangedDraft;
pub(in crate::authority) use id_token::IdTokenDraft;
pub use introspect::{ActiveToken, Introspection};
pub use read::PresentedToken;
pub(in crate::authority) use read::{ValidatedToken, check_borne};
pub use reader::TokenReader;

use shared_claims::Confirmation;

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
    /// What the access token is bound to.
    pub cnf: Option<Confirmation>,
    /// What kind of token it is, where one was exchanged for it (RFC 8693 section 2.2.1).
    pub issued_token_type: Option<&'static str>,
}

impl IssuedTokens {
    /// `token_type` (RFC 6749 section 7.1).
    #[must_use]
    pub fn token_type(&self) -> &'static str {
        token_type(self.cnf)
    }
}

/// A resource server that does not know `cnf` may still know this (RFC 9449 section 5). A token that is bound to a certificate is
/// presented as any other (RFC 8705 section 3).
fn token_type(cnf: Option<Confirmation>) -> &'static str {
    if matches!(cnf, Some(Confirmation::Key(_))) { "DPoP" } else { "Bearer" }
}
