//! Keeps this replica in step with the database: state, keys, feeds, connected verifiers; deletes expired rows.

mod documents;
mod keys;
mod state;
mod sweep;
mod verifiers;

pub(crate) use documents::Documents;
pub use documents::RevocationDocument;
pub(in crate::authority) use keys::{KeyReason, generate, usable};
pub use state::{StateSync, SyncState};
pub use sweep::{SweepPolicy, start as start_sweep};
