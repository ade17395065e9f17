use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Audience, Client, ClientId, ExchangeRule, TokenForm, TokenType, TrustedIssuer};
use crate::keys::Algorithm;

/// All clients and audiences in memory, so that a client token costs no database: also while the
/// database is away. The watcher replaces it as a whole within a quarter of a second of a change.
#[derive(Default)]
pub struct ClientDirectory {
    state: ArcSwap<State>,
}

/// Everything that is registered.
pub struct Registry {
    pub clients: Vec<Client>,
    pub audiences: Vec<Audience>,
    pub trusted_issuers: Vec<TrustedIssuer>,
    pub exchange_rules: Vec<ExchangeRule>,
}

#[derive(Default)]
struct State {
    version: i64,
    clients: HashMap<ClientId, Arc<Client>>,
    audiences: HashMap<String, TokenForm>,
    trusted_issuers: HashMap<String, Arc<TrustedIssuer>>,
    exchange_rules: HashMap<ClientId, Arc<[ExchangeRule]>>,
    /// Of all enabled clients: a preflight does not name its client.
    cors_origins: HashSet<String>,
}

impl ClientDirectory {
    /// `version` is the change counter as it stood before the rest was read.
    pub fn replace(&self, version: i64, registry: Registry) {
        let Registry { clients, audiences, trusted_issuers, exchange_rules } = registry;
        let form = |audience: Audience| (audience.name.clone(), audience.token_form());
        let audiences = audiences.into_iter().map(form).collect();
        let enabled = clients.iter().filter(|client| client.disabled_at.is_none());
        let cors_origins = enabled.flat_map(|client| client.cors_origins.iter().cloned()).collect();
        let clients = clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect();
        let trusted_issuers =
            trusted_issuers.into_iter().map(|trusted| (trusted.issuer.clone(), Arc::new(trusted))).collect();
        let mut of_clients: HashMap<ClientId, Vec<ExchangeRule>> = HashMap::new();
        for rule in exchange_rules {
            of_clients.entry(rule.client_id.clone()).or_default().push(rule);
        }
        let exchange_rules = of_clients.into_iter().map(|(id, rules)| (id, rules.into())).collect();
        self.state.store(Arc::new(State {
            version,
            clients,
            audiences,
            trusted_issuers,
            exchange_rules,
            cors_origins,
        }));
    }

    /// The change counter of what is held here.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.state.load().version
    }

    /// The client, unless it is unknown or disabled.
    #[must_use]
    pub fn enabled(&self, id: &ClientId) -> Option<Arc<Client>> {
        self.state.load().clients.get(id).filter(|client| client.disabled_at.is_none()).cloned()
    }

    /// A platform whose tokens prove workloads; `None` when it is not trusted.
    #[must_use]
    pub fn trusted_issuer(&self, issuer: &str) -> Option<Arc<TrustedIssuer>> {
        self.state.load().trusted_issuers.get(issuer).cloned()
    }

    /// What a client may exchange; nothing by default.
    #[must_use]
    pub fn exchange_rules(&self, id: &ClientId) -> Arc<[ExchangeRule]> {
        self.state.load().exchange_rules.get(id).cloned().unwrap_or_default()
    }

    /// Whether an enabled client has a browser application of this origin.
    #[must_use]
    pub fn has_cors_origin(&self, origin: &str) -> bool {
        self.state.load().cors_origins.contains(origin)
    }

    /// Whether any enabled client has one.
    #[must_use]
    pub fn has_cors_origins(&self) -> bool {
        !self.state.load().cors_origins.is_empty()
    }

    /// The `typ` of an audience's tokens; `None` when it is not registered.
    #[must_use]
    pub fn token_type(&self, audience: &str) -> Option<TokenType> {
        self.state.load().audiences.get(audience).map(|form| form.token_type)
    }

    /// How the tokens of an audience are made.
    #[must_use]
    pub fn token_form(&self, audience: &str) -> TokenForm {
        self.state.load().audiences.get(audience).cloned().unwrap_or_default()
    }

    /// Every algorithm that some audience asked for, or that the ID tokens of some client need.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let state = self.state.load();
        let of_audiences = state.audiences.values().filter_map(|form| form.algorithm);
        let logs_in = |client: &&Arc<Client>| client.issues_id_tokens();
        let of_clients = state.clients.values().filter(logs_in).map(|client| client.login.id_token_algorithm);
        of_audiences.chain(of_clients).collect()
    }
}
