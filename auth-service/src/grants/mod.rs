//! How a token is earned: one file a grant, one exhaustive match (RFC 6749 section 1.3).

mod client_credentials;
mod password;
mod refresh;

pub use password::PasswordLogin;

use crate::authority::Authority;
use crate::clients::Client;
use crate::error::Result;
use crate::tokens::IssuedTokens;

/// A request at the token endpoint, after its client has been authenticated.
#[derive(Debug, Clone)]
pub enum Grant {
    ClientCredentials { scope: Option<String>, audience: Option<String> },
    RefreshToken { refresh_token: String, scope: Option<String> },
}

impl Grant {
    /// Whether the grant can be answered without disk and without a password hash.
    #[must_use]
    pub fn is_answered_from_memory(&self) -> bool {
        match self {
            Self::ClientCredentials { .. } => true,
            Self::RefreshToken { .. } => false,
        }
    }
}

impl Authority {
    /// # Errors
    /// As the grant's own method.
    pub fn grant(&self, client: &Client, grant: &Grant) -> Result<IssuedTokens> {
        match grant {
            Grant::ClientCredentials { scope, audience } => {
                self.issue_client_token(client, scope.as_deref(), audience.as_deref())
            }
            Grant::RefreshToken { refresh_token, scope } => {
                self.refresh(client, refresh_token, scope.as_deref())
            }
        }
    }
}
