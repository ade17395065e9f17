use shared_claims::ScopeSet;

use super::{ClientId, ClientLogin, ClientLoginChange, ClientMethod, GrantType, TokenBinding};

/// A client that is to be registered. Its credentials are made with it.
#[derive(Debug, Clone)]
pub struct NewClient {
    pub id: ClientId,
    /// The most that it may have; the empty set is nothing, not everything.
    pub scope: ScopeSet,
    /// Where its tokens may be used; the first is the default.
    pub audiences: Vec<String>,
    pub grants: Vec<GrantType>,
    /// Audiences whose tokens it may introspect, beside the one of its own name.
    pub introspects: Vec<String>,
    /// Origins of its browser applications, which may read the answers of the authority (CORS).
    pub cors_origins: Vec<String>,
    pub login: ClientLogin,
    /// How it will authenticate.
    pub method: ClientMethod,
    /// What its tokens will be bound to.
    pub token_binding: TokenBinding,
}

/// Changes of a client; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    pub scope: Option<ScopeSet>,
    pub audiences: Option<Vec<String>>,
    pub grants: Option<Vec<GrantType>>,
    pub introspects: Option<Vec<String>>,
    pub cors_origins: Option<Vec<String>>,
    pub login: ClientLoginChange,
    /// It proves itself so from now on, and by nothing that it had before.
    pub method: Option<ClientMethod>,
    pub token_binding: Option<TokenBinding>,
}

impl ClientChange {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { scope, audiences, grants, introspects, cors_origins, login, method, token_binding } = self;
        let lists = [audiences, introspects, cors_origins];
        scope.is_none()
            && grants.is_none()
            && login.is_empty()
            && method.is_none()
            && token_binding.is_none()
            && lists.into_iter().all(Option::is_none)
    }
}
