use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use service_kit::duration;

use crate::webhook::OnFailure;

/// A service of the operator's that says more of a user than settings can.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Webhook {
    /// Your service that returns more claims; https, or http to this machine ([operations](operations.md)).
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
    /// Maximum wait for its answer. 1 to 10 s.
    #[serde(deserialize_with = "duration::between::<_, 1, 10>", serialize_with = "duration::write")]
    pub timeout: Duration,
    /// How long an answer is reused. 0 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 0, 86_400>", serialize_with = "duration::write")]
    pub cache: Duration,
    /// What happens without an answer: `refuse` (503), `stale` (the last answer, else 503) or `without` (no
    /// additional claims).
    pub on_failure: OnFailure,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            url: None,
            timeout: Duration::from_secs(1),
            cache: Duration::from_secs(60),
            on_failure: OnFailure::Refuse,
        }
    }
}

/// The claims decide what a token allows, so the connection must be authenticated.
fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let url = reqwest::Url::parse(&text).map_err(|_| D::Error::custom("expected a URL"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => Ok(Some(text)),
        "http" if loopback => Ok(Some(text)),
        _ => Err(D::Error::custom("expected https, or http to this machine")),
    }
}
