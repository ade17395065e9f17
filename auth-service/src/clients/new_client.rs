use shared_claims::ScopeSet;

use super::{ClientId, GrantType};

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
}

/// Changes of a client; `None` leaves a value as it is.
#[derive(Debug, Clone, Default)]
pub struct ClientChange {
    pub scope: Option<ScopeSet>,
    pub audiences: Option<Vec<String>>,
    pub grants: Option<Vec<GrantType>>,
    pub introspects: Option<Vec<String>>,
}
