//! Settings: built-in defaults, then `--config FILE` (TOML), then `RESOURCE__SECTION__KEY` in the
//! environment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::reference::{self, Setting};
use service_kit::settings::Loaded;
use service_kit::traces::Traces;
use shared_claims::authority::{AuthoritySettings, FeedSettings};

use crate::gateway::Gateway;

/// Everything that can be set. With nothing set, it trusts an authority on this machine.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `aud` that a token must contain.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// Folder of the notes and of the last good state of keys and revocations.
    pub data_dir: PathBuf,
    /// Private keys (PEM, mode 0600) of an audience with encrypted tokens; `resource-service encryption-key FILE`
    /// creates one.
    pub decryption_key_file: Option<PathBuf>,
    /// Allow RSA keys (2048 to 3072 bits) in that file: slow to decrypt with.
    pub allow_rsa_decryption: bool,
    /// The authority that this service follows.
    pub authority: Authority,
    /// Time after SIGTERM during which requests are still served while `/readyz` reports not ready. 0 to 60 s.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub drain_delay: Duration,
    /// The HTTP listener.
    pub http: Http,
    /// The gRPC listener.
    pub grpc: Grpc,
    /// The gateway for proxies: see the samples in `deploy/`.
    pub gateway: Gateway,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// OpenTelemetry traces.
    pub traces: Traces,
    /// The log.
    pub log: Log,
}

/// No `Debug`, here and on [`Settings`]: the secret cannot be printed by accident.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Authority {
    /// URL of the authority; https, or http to this machine.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub url: String,
    /// `iss` of its tokens, compared byte by byte.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub issuer: String,
    /// Allow http to another machine, inside a trusted network.
    pub allow_http: bool,
    /// URL of its gRPC API, for the feeds.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub grpc_url: String,
    /// Client of this service at the authority, with the scope `signet:watch`: it then follows the feeds instead of
    /// polling the documents.
    pub client_id: Option<String>,
    /// Secret of the client.
    pub client_secret: Option<String>,
    /// File that holds the secret of the client.
    pub client_secret_file: Option<PathBuf>,
    /// Additional certificate authorities (PEM) for the URL and the feeds.
    pub ca_file: Option<PathBuf>,
    /// Without contact with the authority for this time, readiness and log report it.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub stale_after: Duration,
    /// Accept tokens as soon as keys are known; else 503 until revocations were received or loaded.
    pub accept_without_revocations: bool,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Http {
    /// Address of the HTTP listener; port 0 chooses a free port.
    pub bind: SocketAddr,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Grpc {
    /// Address of the gRPC listener; port 0 chooses a free port.
    pub bind: SocketAddr,
}

/// Every setting, with its default and its meaning.
///
/// # Errors
/// The key of a setting without a doc comment.
pub fn reference() -> Result<Vec<Setting>, String> {
    reference::settings(("RESOURCE", &["gateway"]), &Settings::default(), |section, field| {
        let found = match section {
            "" => Settings::get_field_docs(field),
            "authority" => Authority::get_field_docs(field),
            "gateway" => Gateway::get_field_docs(field),
            "grpc" => Grpc::get_field_docs(field),
            "http" => Http::get_field_docs(field),
            "log" => Log::get_field_docs(field),
            "metrics" => Metrics::get_field_docs(field),
            "traces" => Traces::get_field_docs(field),
            _ => return None,
        };
        found.ok()
    })
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
