use std::path::PathBuf;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::networks::Networks;

/// What the authority fetches from others.
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Outbound {
    /// Your own networks that may be asked, separated by commas, also without TLS. All other addresses must be public, and are
    /// asked over TLS.
    pub networks: Networks,
    /// File with certificate authorities to trust beside those of the system, in PEM.
    pub ca_file: Option<PathBuf>,
}
