//! What operators do: the command line calls it, and any other endpoint could.
//!
//! The caller is an operator: a failure's cause is for them, and says what to do where that is known.

mod audiences;
mod audit;
mod audit_prune;
pub mod backup;
mod client_changes;
mod clients;
mod exchange_rules;
pub mod import;
mod keys;
mod logins;
mod sessions;
mod trusted_issuers;
mod user_changes;
mod users;

pub use audit::{AuditHead, AuditSummary};
pub use audit_prune::AuditPruned;
pub use users::{NewUser, PasswordSet, UserCreated};

use crate::error::{AdminFault, Error};
use crate::storage::StorageError;

fn invalid(cause: impl Into<String>) -> Error {
    Error::new(AdminFault::Invalid, cause)
}

fn not_found(what: &str, name: &str) -> Error {
    Error::new(AdminFault::NotFound, format!("{what} {name:?} not found"))
}

/// A name that another row has, with the cause for the operator; every other failure as it is.
fn unless_taken(error: StorageError, cause: impl FnOnce() -> String) -> Error {
    if error == StorageError::Taken { taken(cause()) } else { error.into() }
}

fn taken(cause: impl Into<String>) -> Error {
    Error::new(AdminFault::Taken, cause)
}
