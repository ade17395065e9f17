//! Settings: built-in defaults, then `--config FILE` (TOML), then `RESOURCE__SECTION__KEY` in the
//! environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::settings::Loaded;
use service_kit::traces::Traces;
use shared_claims::authority::{AuthoritySettings, FeedSettings};

use crate::gateway::Gateway;

/// Everything that can be set. With nothing set, it trusts an authority on this machine.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `RESOURCE__AUDIENCE`: the `aud` that a token must hold to be for this service. Default `notes`.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// `RESOURCE__DATA_DIR`: the notes, and the last good state of the authority. Made if its parent
    /// exists. Default `data`.
    pub data_dir: PathBuf,
    /// `RESOURCE__DECRYPTION_KEY_FILE`: private keys in PEM, mode 0600, that open the tokens of an audience
    /// which has registered an encryption key; `resource-service encryption-key FILE` makes one. Not set by
    /// default.
    pub decryption_key_file: Option<PathBuf>,
    /// `RESOURCE__ALLOW_RSA_DECRYPTION`: whether that file may hold RSA keys (2048 to 3072 bits). Default `false`.
    pub allow_rsa_decryption: bool,
    pub authority: Authority,
    /// `RESOURCE__DRAIN_DELAY`: how long, after SIGTERM, requests are still taken while `/readyz` and the health
    /// check say that this service is not ready. 0 to 60 seconds. Default `1s`.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub drain_delay: Duration,
    pub http: Http,
    pub grpc: Grpc,
    /// `[gateway]` in the settings file: the sidecar for proxies. Off by default.
    pub gateway: Gateway,
    /// `RESOURCE__METRICS__BIND`: where `GET /metrics` is answered, for Prometheus; `off` for nowhere. Port 0 takes
    /// a free one. Default `127.0.0.1:9465`.
    pub metrics: Metrics,
    /// `RESOURCE__TRACES__ENDPOINT` (an OTLP collector, or `off`) and `RESOURCE__TRACES__RATIO`. Default `off`, 1.
    pub traces: Traces,
    /// `RESOURCE__LOG__FORMAT` (`text` or `json`) and `RESOURCE__LOG__LEVEL`. Default `text`, `info`.
    pub log: Log,
}

/// No `Debug`, here and on [`Settings`]: the secret cannot be printed by accident.
#[derive(Clone, Deserialize, Serialize)]
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
    /// `RESOURCE__AUTHORITY__GRPC_URL`: where its feeds are, for a service that has credentials there.
    /// Default `http://127.0.0.1:9090`.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub grpc_url: String,
    /// `RESOURCE__AUTHORITY__CLIENT_ID`: the client that this service is at the authority. Without it the
    /// published documents are followed instead of the feeds. Not set by default.
    pub client_id: Option<String>,
    /// `RESOURCE__AUTHORITY__CLIENT_SECRET`, or `..._FILE` with the path of a file that holds it. Not set by
    /// default.
    pub client_secret: Option<String>,
    pub client_secret_file: Option<PathBuf>,
    /// `RESOURCE__AUTHORITY__CA_FILE`: certificates in PEM that its gRPC listener may present, beside those
    /// of the operating system. Not set by default.
    pub ca_file: Option<PathBuf>,
    /// `RESOURCE__AUTHORITY__STALE_AFTER`: when the authority was not heard for this long, health and log say
    /// so. Default `5s`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub stale_after: Duration,
    /// `RESOURCE__AUTHORITY__ACCEPT_WITHOUT_REVOCATIONS`: accept tokens as soon as there are keys, also before any
    /// revocations were received or loaded. Default `false`: 503 until then.
    pub accept_without_revocations: bool,
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

impl Authority {
    /// What `shared-claims` needs to follow the authority.
    ///
    /// # Errors
    /// One line with the key that is wrong.
    pub fn followed(&self, data_dir: &Path) -> Result<AuthoritySettings, String> {
        let ca_pem = self.ca_file.as_deref().map(|path| read("ca_file", path)).transpose()?;
        Ok(AuthoritySettings {
            url: self.url.clone(),
            ca_pem: ca_pem.map(String::into_bytes),
            issuer: self.issuer.clone(),
            feed: self.feed()?,
            data_dir: Some(data_dir.to_owned()),
            allow_http: self.allow_http,
            accept_without_revocations: self.accept_without_revocations,
            trace: Some(service_kit::traces::outgoing),
        })
    }

    fn feed(&self) -> Result<Option<FeedSettings>, String> {
        let Some(client_id) = self.client_id.clone() else { return Ok(None) };
        let client_secret = match (&self.client_secret, &self.client_secret_file) {
            (_, Some(path)) => read("client_secret_file", path)?.trim_end().to_owned(),
            (Some(secret), None) => secret.clone(),
            (None, None) => return Err("authority.client_secret is missing beside client_id".to_owned()),
        };
        Ok(Some(FeedSettings { url: self.grpc_url.clone(), client_id, client_secret }))
    }
}

fn read(key: &str, path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("authority.{key} {}: {error}", path.display()))
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            audience: "notes".to_owned(),
            data_dir: PathBuf::from("data"),
            decryption_key_file: None,
            allow_rsa_decryption: false,
            authority: Authority::default(),
            drain_delay: Duration::from_secs(1),
            http: Http::default(),
            grpc: Grpc::default(),
            gateway: Gateway::default(),
            metrics: Metrics::on_loopback(9465),
            traces: Traces::default(),
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
            grpc_url: "http://127.0.0.1:9090".to_owned(),
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            ca_file: None,
            stale_after: Duration::from_secs(5),
            accept_without_revocations: false,
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
