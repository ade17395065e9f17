//! Settings: built-in defaults, then `--config FILE` (TOML), then `GATEWAY__SECTION__KEY` in the
//! environment.

use std::path::PathBuf;
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::networks::Networks;
use service_kit::reference::{self, Setting};
use service_kit::traces::Traces;
use verifier_kit::settings::{Authority, Grpc, Http};

use crate::rule_settings::Gateway;

/// Everything that can be set.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `aud` that a token must contain.
    #[serde(deserialize_with = "service_kit::settings::word")]
    pub audience: String,
    /// URLs at which clients reach what stands behind the proxy, such as `https://shop.example.com`, separated by commas. Tokens that
    /// are bound to a key (DPoP) are accepted there, and nowhere without it.
    pub service_urls: String,
    /// Addresses and networks of proxies that end TLS and hand the certificate of their client on in `Client-Cert` (RFC 9440), separated by
    /// commas: tokens that are bound to it are accepted. They must remove that header from what clients send.
    pub client_cert_proxies: Networks,
    /// Folder of the last good state of keys and revocations.
    pub data_dir: PathBuf,
    /// Private keys (PEM, mode 0600) of an audience with encrypted tokens; `signet-gateway encryption-key FILE`
    /// creates one.
    pub decryption_key_file: Option<PathBuf>,
    /// Allow RSA keys (2048 to 3072 bits) in that file: slow to decrypt with.
    pub allow_rsa_decryption: bool,
    /// The authority that the gateway follows.
    pub authority: Authority,
    /// Time after SIGTERM during which requests are still served while `/readyz` reports not ready. 0 to 60 s.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub drain_delay: Duration,
    /// The HTTP listener, for nginx, Traefik and Caddy.
    pub http: Http,
    /// The gRPC listener, for Envoy.
    pub grpc: Grpc,
    /// The proxy in front, and the rules.
    pub gateway: Gateway,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// OpenTelemetry traces.
    pub traces: Traces,
    /// The log.
    pub log: Log,
}

/// Every setting, with its default and its meaning.
///
/// # Errors
/// The key of a setting without a doc comment.
pub fn reference() -> Result<Vec<Setting>, String> {
    reference::settings("GATEWAY", &["gateway"], &Settings::default(), |section, field| {
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

impl Default for Settings {
    fn default() -> Self {
        Self {
            audience: "notes".to_owned(),
            service_urls: String::new(),
            client_cert_proxies: Networks::default(),
            data_dir: PathBuf::from("gateway-data"),
            decryption_key_file: None,
            allow_rsa_decryption: false,
            authority: Authority::default(),
            drain_delay: Duration::from_secs(1),
            http: Http::on_loopback(8083),
            grpc: Grpc::on_loopback(9093),
            gateway: Gateway::default(),
            metrics: Metrics::on_loopback(9466),
            traces: Traces::default(),
            log: Log::default(),
        }
    }
}
