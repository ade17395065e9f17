use std::path::PathBuf;
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;

use super::load;

/// How many failed logins are allowed within the window, over all paths and replicas; 0 to 1,000,000, 0 for no
/// limit.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Limits {
    /// Failed logins of one user from one network that are allowed within the window; 0 for no limit. Up to
    /// 1,000,000.
    #[serde(deserialize_with = "load::limit")]
    pub pair: u32,
    /// Failed logins of one user from all networks; 0 for no limit.
    #[serde(deserialize_with = "load::limit")]
    pub account: u32,
    /// Failed logins from one network, of all users; 0 for no limit. A network is an IPv4 address or an IPv6 /64.
    #[serde(deserialize_with = "load::limit")]
    pub client_ip: u32,
    /// Time in which these failures are forgotten again, one by one. 1 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub window: Duration,
}

#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Audit {
    /// How long entries of the audit log are kept, such as `365d`; unset keeps them for ever. 1 to 3,650 days.
    #[serde(
        deserialize_with = "duration::optional_between::<_, 86_400, 315_360_000>",
        serialize_with = "duration::write_optional"
    )]
    pub keep: Option<Duration>,
}

#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Backup {
    /// Folder of the backups of `auth-service backup`; `doctor` warns when the newest one is older than a day.
    pub folder: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Sweep {
    /// How often one replica deletes expired rows. 1 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub interval: Duration,
    /// How long an expired row is kept; longer than a clock may be wrong. 0 s to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 0, 31_536_000>", serialize_with = "duration::write")]
    pub keep: Duration,
}
