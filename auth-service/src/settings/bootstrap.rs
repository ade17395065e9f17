use std::path::PathBuf;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// The first start on an empty database.
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Bootstrap {
    /// File with the password of the first administrator, `admin`. Without it a password is generated and written to
    /// `initial-admin-password` beside the master key (mode 0600).
    pub admin_password_file: Option<PathBuf>,
}
