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
