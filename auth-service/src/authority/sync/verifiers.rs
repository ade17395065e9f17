//! Stores which verifiers are connected to this replica.

use std::sync::Arc;
use std::time::Duration;

use crate::authority::Authority;
use crate::background::{Background, Schedule};
use crate::error::Result;
use crate::verifiers::ConnectedVerifier;

/// How often is looked whether there is anything to write.
const INTERVAL: Duration = Duration::from_millis(200);

/// Begins to write them down, beside the state sync: ten thousand of them must not hold up a revocation. Ends when what
/// it returns is dropped.
///
/// # Errors
/// `Internal` when the system gives no thread.
pub(super) fn keep(authority: Arc<Authority>) -> Result<Background> {
    let schedule =
        Schedule::every("verifiers", INTERVAL, "connected verifiers are written to the database again");
    Background::start(schedule, move |_| authority.save_verifiers(), |_| {})
}

impl Authority {
    /// Lets the database know of the verifiers of this replica.
    fn save_verifiers(&self) -> Result<()> {
        let Some(changes) = self.sync.verifiers.take_changes() else { return Ok(()) };
        let gone = changes.gone.clone();
        let saved = self.storage.save_verifiers(self.sync.verifiers.replica(), changes, self.now());
        match saved {
            Ok(true) => {}
            // It was taken for dead, or is new: all of them must be written.
            Ok(false) => self.sync.verifiers.write_all_again(Vec::new()),
            Err(error) => {
                self.sync.verifiers.write_all_again(gone);
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
