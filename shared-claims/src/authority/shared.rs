use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Authority;
use super::held::Held;

/// What the tasks of one verifier share.
#[derive(Clone)]
pub(super) struct SharedState {
    pub authority: Arc<Authority>,
    held: Arc<Mutex<Held>>,
}

impl SharedState {
    pub(super) fn new(authority: Arc<Authority>, held: Held) -> Self {
        Self { authority, held: Arc::new(Mutex::new(held)) }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
