//! The sections of the settings that every program that follows an authority has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;
use shared_claims::{AuthoritySettings, FeedSettings};

/// The authority that a process follows. No `Debug`: the secret cannot be printed by accident.
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

/// The HTTP listener.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
pub struct Http {
    /// Address of the HTTP listener; port 0 chooses a free port.
    pub bind: SocketAddr,
}

/// The gRPC listener.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
pub struct Grpc {
    /// Address of the gRPC listener; port 0 chooses a free port.
    pub bind: SocketAddr,
}

impl Http {
    #[must_use]
    pub const fn on_loopback(port: u16) -> Self {
        Self { bind: loopback(port) }
    }
}

impl Grpc {
    #[must_use]
    pub const fn on_loopback(port: u16) -> Self {
        Self { bind: loopback(port) }
    }
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
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

impl Authority {
    /// What `shared-claims` needs to follow the authority.
    ///
    /// # Errors
    /// One line with the key that is wrong.
    pub fn followed(&self, data_dir: &Path) -> Result<AuthoritySettings, String> {
        let ca_pem = self.ca_file.as_deref().map(|path| read("ca_file", path)).transpose()?;
        let mut settings = AuthoritySettings::of(&self.url);
        settings.issuer.clone_from(&self.issuer);
        settings.ca_pem = ca_pem.map(String::into_bytes);
        settings.feed = self.feed()?;
        settings.data_dir = Some(data_dir.to_owned());
        settings.allow_http = self.allow_http;
        settings.accept_without_revocations = self.accept_without_revocations;
        settings.trace = Some(service_kit::traces::outgoing);
        Ok(settings)
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
