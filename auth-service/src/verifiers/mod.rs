//! The verifiers that are connected to this replica, and the keys that each of them holds: a rotation waits
//! for them. What is known here is written to the database, where every replica and the command line see it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

/// How often a replica with verifiers says that it is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// A verifier that watches the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedVerifier {
    /// Names the connection.
    pub id: String,
    pub client_id: String,
    /// Where it called from, for the operator.
    pub address: String,
    /// The ids of the keys that it can verify with.
    pub kids: Vec<String>,
}

/// What the database does not know yet.
#[derive(Debug, Default)]
pub struct Changes {
    pub present: Vec<ConnectedVerifier>,
    pub gone: Vec<String>,
}

/// Those of this replica.
pub struct VerifierRegistry {
    replica: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connected: HashMap<String, ConnectedVerifier>,
    changed: HashSet<String>,
    saved: Option<Instant>,
}

impl Default for VerifierRegistry {
    fn default() -> Self {
        Self { replica: Uuid::new_v4().to_string(), state: Mutex::default() }
    }
}

impl VerifierRegistry {
    /// The ID of this replica, of this start.
    pub(crate) fn replica(&self) -> &str {
        &self.replica
    }

    /// A verifier has connected, or holds other keys than before; stored in the database in a moment.
    pub fn note(&self, verifier: ConnectedVerifier) {
        let mut state = self.state();
        state.changed.insert(verifier.id.clone());
        state.connected.insert(verifier.id.clone(), verifier);
    }

    pub fn forget(&self, id: &str) {
        let mut state = self.state();
        if state.connected.remove(id).is_some() {
            state.changed.insert(id.to_owned());
        }
    }

    /// What is to be written now; `None` when the database knows it all.
    pub(crate) fn take_changes(&self) -> Option<Changes> {
        let mut state = self.state();
        let alive = state.saved.is_some_and(|saved| saved.elapsed() < ALIVE) || state.connected.is_empty();
        if state.changed.is_empty() && alive {
            return None;
        }
        let mut changes = Changes::default();
        for id in std::mem::take(&mut state.changed) {
            match state.connected.get(&id) {
                Some(verifier) => changes.present.push(verifier.clone()),
                None => changes.gone.push(id),
            }
        }
        state.saved = Some(Instant::now());
        Some(changes)
    }

    /// All that is connected is to be written next time, and `gone` to be forgotten.
    pub(crate) fn write_all_again(&self, gone: Vec<String>) {
        let mut state = self.state();
        let all: Vec<String> = state.connected.keys().cloned().chain(gone).collect();
        state.changed.extend(all);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
