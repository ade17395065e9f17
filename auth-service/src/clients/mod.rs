//! Clients: the services that ask for tokens (RFC 6749 section 2).

mod audience;
mod authenticate;
mod directory;
mod grant_type;
mod login;
mod new_client;
mod redirect_uri;

use std::fmt;

use shared_claims::ScopeSet;

use crate::clock::Timestamp;
use crate::error::{Error, OAuthFault, Result};
use crate::secret::{HashedSecret, PlainSecret};

pub use audience::{Audience, AudienceChange, Encryption, TokenForm, TokenType};
pub use authenticate::ClientAuthentication;
pub use directory::ClientDirectory;
pub use grant_type::GrantType;
pub use login::{ClientLogin, ClientLoginChange, Pkce};
pub use new_client::{ClientChange, NewClient};
pub use redirect_uri::RedirectUri;

/// 1 to 64 characters of `A-Z a-z 0-9 . _ -`, chosen by the operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(String);

impl ClientId {
    /// `None` when the text is not an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Scopes that begin so are rights at the authority itself: no token has them unless it is asked for them by name.
const OWN_SCOPES: &str = "signet:";

/// The scope of clients that may follow the feeds of revocations and keys.
pub const WATCH_SCOPE: &str = "signet:watch";

/// The scope of clients that may list and end the browser sessions of users.
pub const BROWSER_SESSIONS_SCOPE: &str = "signet:browser-sessions";

/// Asks for an ID token (OpenID Connect Core section 3.1.2.1).
pub const OPENID_SCOPE: &str = "openid";

/// Asks for a refresh token that outlives the browser session (OpenID Connect Core section 11).
pub const OFFLINE_SCOPE: &str = "offline_access";

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    pub id: ClientId,
    /// The most that it may have; the empty set is nothing, not everything.
    pub scope: ScopeSet,
    /// Where its tokens may be used; the first is the default.
    pub audiences: Vec<String>,
    pub grants: Vec<GrantType>,
    /// Beside the one of its own name: audiences whose tokens it may introspect (RFC 7662 section 4).
    pub introspects: Vec<String>,
    /// Origins of its browser applications (RFC 6454).
    pub cors_origins: Vec<String>,
    pub login: ClientLogin,
    pub credentials: Credentials,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// How a client proves itself.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The first-party client behind simplejwt's endpoints; it cannot authenticate anywhere.
    FirstParty,
    /// It runs where everybody can read it, and has nothing to prove itself with (RFC 6749 section 2.1).
    Public,
    Secret {
        current: HashedSecret,
        /// Still good until the given time, so that a secret can be changed without a gap.
        previous: Option<(HashedSecret, Timestamp)>,
    },
}

impl Client {
    /// Whether this secret is the client's, at `now`, in constant time.
    #[must_use]
    pub fn accepts(&self, secret: &PlainSecret, now: Timestamp) -> bool {
        match &self.credentials {
            Credentials::FirstParty | Credentials::Public => false,
            Credentials::Secret { current, previous } => {
                let previous = previous.as_ref().filter(|(_, until)| now < *until);
                current.matches(secret) || previous.is_some_and(|(hash, _)| hash.matches(secret))
            }
        }
    }

    /// Whether it needs no secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.credentials, Credentials::Public)
    }

    /// Whether it may ask who a user is.
    #[must_use]
    pub fn issues_id_tokens(&self) -> bool {
        issues_id_tokens(&self.scope, &self.grants)
    }

    /// What users see.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.login.name.is_empty() { self.id.as_str() } else { &self.login.name }
    }

    /// # Errors
    /// `unauthorized_client` when it is not registered for the grant (RFC 6749 section 5.2).
    pub fn check_grant(&self, grant: GrantType) -> Result<()> {
        if self.grants.contains(&grant) {
            return Ok(());
        }
        let cause = format!("client {} may not use {}", self.id, grant.as_str());
        Err(Error::new(OAuthFault::UnauthorizedClient, cause))
    }

    /// # Errors
    /// `unauthorized_client` without this right at the authority itself.
    pub fn check_own_scope(&self, right: &str, operation: &str) -> Result<()> {
        // Anybody can say that they are a public client.
        if self.scope.contains(right) && !self.is_public() {
            return Ok(());
        }
        let cause = format!("client {} may not {operation}: its scope does not contain {right}", self.id);
        Err(Error::new(OAuthFault::UnauthorizedClient, cause))
    }

    /// The scope of a request: what was asked, when the client may have all of it; without a
    /// question everything that it may have (RFC 6749 section 3.3).
    ///
    /// # Errors
    /// `invalid_scope`.
    pub fn narrow_scope(&self, asked: Option<&str>) -> Result<ScopeSet> {
        narrow(&self.scope, asked)
    }

    /// The audience of a request (RFC 8707 section 2).
    ///
    /// # Errors
    /// `invalid_target` when it is not one of the client's, or the client has none.
    pub fn choose_audience(&self, asked: Option<&str>) -> Result<String> {
        let found = match asked {
            None => self.audiences.first(),
            Some(asked) => self.audiences.iter().find(|audience| *audience == asked),
        };
        found.cloned().ok_or_else(|| {
            Error::new(OAuthFault::InvalidTarget, format!("client {} may not ask for that audience", self.id))
        })
    }
}

/// Whether a client with this scope and these grants may ask who a user is.
#[must_use]
pub fn issues_id_tokens(scope: &ScopeSet, grants: &[GrantType]) -> bool {
    let logs_in = [GrantType::AuthorizationCode, GrantType::DeviceCode];
    scope.contains(OPENID_SCOPE) && grants.iter().any(|grant| logs_in.contains(grant))
}

/// Scope only narrows.
///
/// # Errors
/// `invalid_scope` when `asked` is malformed or exceeds `held`.
pub fn narrow(held: &ScopeSet, asked: Option<&str>) -> Result<ScopeSet> {
    let refused = |cause: &str| Error::new(OAuthFault::InvalidScope, cause);
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(held.without(OWN_SCOPES)) };
    let asked = ScopeSet::parse(asked).map_err(|_| refused("the scope is malformed"))?;
    if !asked.is_subset(held) {
        return Err(refused("the scope exceeds what may be had"));
    }
    Ok(asked)
}
