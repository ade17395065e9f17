use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::{Client, ClientId};
use crate::keys::Algorithm;

/// All clients and audiences in memory, so that a machine token costs no database: also while the
/// database is away. The watcher replaces it as a whole within a quarter of a second of a change.
#[derive(Default)]
pub struct ClientDirectory {
    state: ArcSwap<State>,
}

#[derive(Default)]
struct State {
    version: i64,
    clients: HashMap<ClientId, Arc<Client>>,
    audiences: HashMap<String, Option<Algorithm>>,
}

impl ClientDirectory {
    /// `version` is the change counter as it stood before the rest was read; `audiences` maps each
    /// registered audience to the algorithm of its tokens, if it has its own.
    pub fn replace(&self, version: i64, clients: Vec<Client>, audiences: HashMap<String, Option<Algorithm>>) {
        let clients = clients.into_iter().map(|client| (client.id.clone(), Arc::new(client))).collect();
        self.state.store(Arc::new(State { version, clients, audiences }));
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

    /// Whether the client is here at all. One that is not may have been registered a moment ago.
    #[must_use]
    pub fn knows(&self, id: &ClientId) -> bool {
        self.state.load().clients.contains_key(id)
    }

    /// Whether a token may be meant for this audience at all.
    #[must_use]
    pub fn is_audience(&self, name: &str) -> bool {
        self.state.load().audiences.contains_key(name)
    }

    /// The algorithm that an audience asked for, if it did.
    #[must_use]
    pub fn algorithm_of(&self, audience: &str) -> Option<Algorithm> {
        self.state.load().audiences.get(audience).copied().flatten()
    }

    /// Every algorithm that some audience asked for.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        self.state.load().audiences.values().copied().flatten().collect()
    }
}
