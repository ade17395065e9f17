//! Settings: built-in defaults, then `--config FILE` (TOML), then `RESOURCE__SECTION__KEY` in the
//! environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::settings::Loaded;

/// Everything that can be set. With nothing set, it trusts an authority on this machine.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `RESOURCE__AUDIENCE`: the `aud` that a token must hold to be for this service. Default `notes`.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// `RESOURCE__DATA_DIR`: the notes, and the last good state of the authority. Made if its parent
    /// exists. Default `data`.
    pub data_dir: PathBuf,
    pub authority: Authority,
    pub http: Http,
    pub grpc: Grpc,
    /// `RESOURCE__LOG__FORMAT` (`text` or `json`) and `RESOURCE__LOG__LEVEL`. Default `text`, `info`.
    pub log: Log,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Authority {
    /// `RESOURCE__AUTHORITY__URL`: where its key set is fetched. https, or http to this machine.
    /// Default `http://127.0.0.1:8080`.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub url: String,
    /// `RESOURCE__AUTHORITY__ISSUER`: the `iss` of its tokens, byte by byte. Default
    /// `http://127.0.0.1:8080`.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub issuer: String,
    /// `RESOURCE__AUTHORITY__ALLOW_HTTP`: http to another machine, inside a network that is trusted.
    /// Default `false`.
    pub allow_http: bool,
    /// `RESOURCE__AUTHORITY__POLL_INTERVAL`: time between two questions for revocations, 1 to 60
    /// seconds or 100 to 999 ms. Default `500ms`.
    #[serde(deserialize_with = "poll_interval", serialize_with = "duration::write")]
    pub poll_interval: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Http {
    /// `RESOURCE__HTTP__BIND`. Port 0 takes a free one. Default `127.0.0.1:8081`.
    pub bind: SocketAddr,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Grpc {
    /// `RESOURCE__GRPC__BIND`. Port 0 takes a free one. Default `127.0.0.1:9091`.
    pub bind: SocketAddr,
}

/// Reads all layers.
///
/// # Errors
/// One line with the key, what was expected, and where the value came from.
pub fn load(file: Option<&Path>) -> Result<Loaded<Settings>, String> {
    service_kit::settings::load("RESOURCE", file)
}

fn poll_interval<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(deserializer)?;
    let bounds = Duration::from_millis(100)..=Duration::from_secs(60);
    duration::parse(&text)
        .filter(|interval| bounds.contains(interval))
        .ok_or_else(|| D::Error::custom("expected a duration of `100ms` to `60s`"))
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            audience: "notes".to_owned(),
            data_dir: PathBuf::from("data"),
            authority: Authority::default(),
            http: Http::default(),
            grpc: Grpc::default(),
            log: Log::default(),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            issuer: "http://127.0.0.1:8080".to_owned(),
            allow_http: false,
            poll_interval: Duration::from_millis(500),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: loopback(8081) }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self { bind: loopback(9091) }
    }
}
