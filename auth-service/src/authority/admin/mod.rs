//! What operators do: the command line calls it, and any other endpoint could.
//!
//! The caller is an operator: a failure's cause is for them, and says what to do where that is known.

mod audiences;
mod audit;
mod backup;
mod clients;
pub mod import;
mod keys;
mod users;

pub use audit::{AuditHead, AuditSummary};
pub use users::{NewUser, PasswordSet, UserCreated};

use crate::error::{AdminFault, Error};

fn invalid(cause: impl Into<String>) -> Error {
    Error::new(AdminFault::Invalid, cause)
}

fn not_found(what: &str, name: &str) -> Error {
    Error::new(AdminFault::NotFound, format!("{what} {name:?} not found"))
}

fn taken(cause: impl Into<String>) -> Error {
    Error::new(AdminFault::Taken, cause)
}
