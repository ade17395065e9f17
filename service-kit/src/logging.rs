use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

/// How the log looks.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Log {
    /// `LOG__FORMAT`: `text` or `json`. Default `text`.
    pub format: LogFormat,
    /// `LOG__LEVEL`: `error`, `warn`, `info`, `debug`, or a filter by module. Default `info`.
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// Starts logging to standard error.
///
/// # Errors
/// A level that is none.
pub fn start(settings: &Log) -> Result<(), String> {
    let filter =
        EnvFilter::from_str(&settings.level).map_err(|error| format!("settings: log.level: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Json => log.json().init(),
        LogFormat::Text => log.with_ansi(false).init(),
    }
    Ok(())
}
