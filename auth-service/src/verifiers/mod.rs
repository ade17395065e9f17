//! The verifiers that are connected to this replica, and the keys that each of them holds: a rotation waits
//! for them. What is known here is written to the database, where every replica and the command line see it.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::secret::{NoRandomness, random_id};

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

impl VerifierRegistry {
    /// # Errors
    /// [`NoRandomness`].
    pub fn new() -> std::result::Result<Self, NoRandomness> {
        Ok(Self { replica: random_id()?, state: Mutex::default() })
    }

    fn note(&self, verifier: ConnectedVerifier) {
        let mut state = self.state();
        state.changed.insert(verifier.id.clone());
        state.connected.insert(verifier.id.clone(), verifier);
    }

    fn forget(&self, id: &str) {
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

    /// They were not written: all that is connected is to be, next time.
    fn not_written(&self, gone: Vec<String>) {
        let mut state = self.state();
        let all: Vec<String> = state.connected.keys().cloned().chain(gone).collect();
        state.changed.extend(all);
        state.saved = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Authority {
    /// A verifier has connected, or holds other keys than before; the database is told in a moment.
    pub fn note_verifier(&self, verifier: ConnectedVerifier) {
        self.verifiers.note(verifier);
        self.seen.wake();
    }

    pub fn forget_verifier(&self, id: &str) {
        self.verifiers.forget(id);
        self.seen.wake();
    }

    /// Lets the database know of the verifiers of this replica.
    ///
    /// # Errors
    /// `Unavailable`; it is tried again with the next look.
    pub(crate) fn save_verifiers(&self, now: Timestamp) -> Result<()> {
        let Some(changes) = self.verifiers.take_changes() else { return Ok(()) };
        let gone = changes.gone.clone();
        self.storage
            .save_verifiers(&self.verifiers.replica, changes, now)
            .inspect_err(|_| self.verifiers.not_written(gone))?;
        Ok(())
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
