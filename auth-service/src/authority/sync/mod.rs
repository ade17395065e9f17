//! Keeps this replica in step with the database: state, keys, feeds, connected verifiers; deletes expired rows.

mod documents;
mod freshness;
mod keys;
mod revocation_claims;
mod state;
mod sweep;
mod thread;
mod verifiers;

pub(crate) use documents::Documents;
pub use documents::RevocationDocument;
pub(in crate::authority) use keys::{KeyReason, generate, usable};
pub use state::SyncState;
pub use sweep::{SweepPolicy, start as start_sweep};
pub use thread::StateSync;
