use std::str::FromStr;

use documented::DocumentedFields;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::traces::{self, Exporting};

/// How the log looks.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Log {
    /// Log format: `text` or `json`.
    #[serde(deserialize_with = "format")]
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or a filter by module.
    #[serde(deserialize_with = "level")]
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// Starts logging to standard error, and with it the exporting of traces where there is one.
///
/// # Errors
/// A level that is none.
pub fn start(settings: &Log, exporting: Option<&Exporting>) -> Result<(), String> {
    // Its lines at the start say less than ours. `info,actix_server=info` shows them.
    let level = match settings.level.as_str() {
        quiet @ ("off" | "error") => quiet.to_owned(),
        level => format!("actix_server=warn,{level}"),
    };
    let filter = EnvFilter::from_str(&level).map_err(|error| format!("settings: log.level: {error}"))?;
    // actix reports each malformed request as an error of ours, and anybody could fill the log with it.
    let off = |target: &str| Directive::from_str(&format!("{target}=off")).map_err(|error| error.to_string());
    let filter = filter.add_directive(off("actix_http::h1::dispatcher")?).add_directive(off(traces::TARGET)?);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = match settings.format {
        LogFormat::Json => log.json().boxed(),
        LogFormat::Text => log.with_ansi(false).boxed(),
    };
    let log = log.with_filter(filter);
    match exporting {
        Some(exporting) => tracing_subscriber::registry().with(log).with(exporting.layer()).init(),
        None => tracing_subscriber::registry().with(log).init(),
    }
    Ok(())
}

fn format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LogFormat, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(D::Error::custom("expected `text` or `json`")),
    }
}

/// A lone word that is no level would be a filter for a module of that name: silence.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = |word: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&word);
    let directive = |text: &str| match text.split_once('=') {
        None => known(text),
        Some((module, level)) => !module.is_empty() && known(level),
    };
    if !text.split(',').all(directive) {
        return Err(D::Error::custom("expected a level such as `info`, or `info,MODULE=debug`"));
    }
    Ok(text)
}
