//! Clients: the services that ask for tokens (RFC 6749 section 2).

mod assertion;
mod audience;
mod authenticate;
mod credentials;
mod directory;
mod grant_type;
mod id;
mod key_source;
mod keys;
mod login;
mod new_client;
mod redirect_uri;
mod token_binding;
mod trusted_issuer;
mod workload;

use shared_claims::ScopeSet;

use crate::clock::Timestamp;
use crate::error::{Error, OAuthFault, Result};

pub use assertion::{AssertionClaims, AssertionFault, SingleUse, UnverifiedAssertion};
pub use audience::{Audience, AudienceChange, Encryption, TokenForm, TokenType};
pub use authenticate::{ClientAuthentication, Presented};
pub use credentials::{ClientMethod, Credentials};
pub(crate) use credentials::{PRIVATE_KEY_JWT, WORKLOAD};
pub use directory::{ClientDirectory, Registry};
pub use grant_type::GrantType;
pub use id::ClientId;
pub use key_source::KeyLocation;
pub(crate) use key_source::KeySource;
pub use keys::{ClientKeys, StoredKeys};
pub use login::{ClientLogin, ClientLoginChange, Pkce};
pub use new_client::{ClientChange, NewClient};
pub use redirect_uri::RedirectUri;
pub use token_binding::TokenBinding;
pub use trusted_issuer::{IssuerKeys, TrustedIssuer};
pub use workload::{InvalidPattern, SubjectPattern, Workload};

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
    pub token_binding: TokenBinding,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

impl Client {
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
