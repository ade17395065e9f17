//! Clients: the services that ask for tokens (RFC 6749 section 2).

mod assertion;
mod audience;
mod authenticate;
mod certificate;
mod credentials;
mod directory;
mod exchange_rule;
mod grant_type;
mod id;
mod key_source;
mod keys;
mod login;
mod method;
mod new_client;
mod redirect_uri;
mod scopes;
mod token_binding;
mod trusted_issuer;
mod workload;

use shared_claims::ScopeSet;

use crate::clock::Timestamp;
use crate::error::{Error, OAuthFault, Result};

pub use assertion::{AssertionClaims, AssertionFault, SingleUse, UnverifiedAssertion};
pub use audience::{Audience, AudienceChange, Encryption, TokenForm, TokenType};
pub use authenticate::{ClientAuthentication, Presented};
pub use certificate::{
    CertificateFault, CertificateName, InvalidCertificates, InvalidName, RegisteredCertificate,
};
pub(crate) use certificate::{SELF_SIGNED_TLS, TLS_CLIENT_AUTH};
pub use credentials::Credentials;
pub(crate) use credentials::{PRIVATE_KEY_JWT, WORKLOAD};
pub use directory::{ClientDirectory, Registry};
pub use exchange_rule::{ExchangeRule, NoRule};
pub use grant_type::GrantType;
pub use id::ClientId;
pub use key_source::KeyLocation;
pub(crate) use key_source::KeySource;
pub use keys::{ClientKeys, StoredKeys};
pub use login::{ClientLogin, ClientLoginChange, Pkce};
pub use method::ClientMethod;
pub use new_client::{ClientChange, NewClient};
pub use redirect_uri::RedirectUri;
pub use scopes::{BROWSER_SESSIONS_SCOPE, OFFLINE_SCOPE, OPENID_SCOPE, WATCH_SCOPE, narrow};
pub use token_binding::TokenBinding;
pub use trusted_issuer::{IssuerKeys, TrustedIssuer};
pub use workload::{InvalidPattern, SubjectPattern, Workload};

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
