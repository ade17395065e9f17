//! One file per grant type, one exhaustive match (RFC 6749 section 1.3).

mod client_credentials;
mod password;
mod refresh;

pub(in crate::authority) use password::Lifetimes;
pub use password::PasswordGrant;
pub use refresh::PendingRefresh;

/// A request at the token endpoint, after its client has been authenticated.
#[derive(Debug, Clone)]
pub enum Grant {
    ClientCredentials { scope: Option<String>, audience: Option<String> },
    RefreshToken { refresh_token: String, scope: Option<String> },
}
