//! Backups: the database, the master key and the head of the audit log in one folder, checked after they are written and
//! before they are restored.

mod create;
mod epoch;
mod manifest;
mod restore;

pub use create::{Created, create};
pub use manifest::{Manifest, newest};
pub use restore::{Replaced, Restore, restore};

use std::path::Path;

/// Name of the copy of the master key within a backup.
const MASTER_KEY: &str = "master.key";

/// One line for the operator.
pub type Result<T> = std::result::Result<T, String>;

fn at(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}
