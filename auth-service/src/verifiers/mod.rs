//! The verifiers that are connected to this replica, and the keys that each of them holds: a rotation waits
//! for them. What is known here is written to the database, where every replica and the command line see it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::authority::Authority;
use crate::background::Background;
use crate::error::Result;

/// How often is looked whether there is anything to write.
const INTERVAL: Duration = Duration::from_millis(200);

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
    fn take_changes(&self) -> Option<Changes> {
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
    fn write_all_again(&self, gone: Vec<String>) {
        let mut state = self.state();
        let all: Vec<String> = state.connected.keys().cloned().chain(gone).collect();
        state.changed.extend(all);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to write them down, beside the state sync: ten thousand of them must not hold up a revocation. Ends when what
/// it returns is dropped.
///
/// # Errors
/// `Internal` when the system gives no thread.
pub fn keep(authority: Arc<Authority>) -> Result<Background> {
    Background::start("verifiers", INTERVAL, move |_| authority.save_verifiers(), || {})
}

impl Authority {
    /// Lets the database know of the verifiers of this replica.
    fn save_verifiers(&self) -> Result<()> {
        let Some(changes) = self.verifiers.take_changes() else { return Ok(()) };
        let gone = changes.gone.clone();
        let saved = self.storage.save_verifiers(&self.verifiers.replica, changes, self.now());
        match saved {
            Ok(true) => {}
            // It was taken for dead, or is new: all of them must be written.
            Ok(false) => self.verifiers.write_all_again(Vec::new()),
            Err(error) => {
                self.verifiers.write_all_again(gone);
                return Err(error.into());
            }
        }
        Ok(self.storage.forget_dead_replicas(self.now())?)
    }

    /// The connected verifiers, of all replicas, that cannot verify with a key.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn verifiers_without(&self, kid: &str) -> Result<(usize, Vec<ConnectedVerifier>)> {
        let all = self.storage.connected_verifiers(self.now())?;
        let connected = all.len();
        let without = |verifier: &ConnectedVerifier| !verifier.kids.iter().any(|held| held == kid);
        Ok((connected, all.into_iter().filter(without).collect()))
    }
}
