use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use service_kit::duration;

use crate::webhook::OnFailure;

/// A service of the operator's that says more of a person than settings can.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Webhook {
    /// `AUTH__CLAIMS_WEBHOOK__URL`: https, or http to this machine. None by default.
    #[serde(deserialize_with = "url")]
    pub url: Option<String>,
    /// `AUTH__CLAIMS_WEBHOOK__TIMEOUT`: longest wait for its answer, 1 to 10 seconds. Default `1s`.
    #[serde(deserialize_with = "duration::between::<_, 1, 10>", serialize_with = "duration::write")]
    pub timeout: Duration,
    /// `AUTH__CLAIMS_WEBHOOK__CACHE`: how long an answer is good, 0 seconds to 1 day. Default `60s`.
    #[serde(deserialize_with = "duration::between::<_, 0, 86_400>", serialize_with = "duration::write")]
    pub cache: Duration,
    /// `AUTH__CLAIMS_WEBHOOK__ON_FAILURE`: what becomes of a login or refresh when it does not answer: `refuse` (503),
    /// `stale` (its last answer, else 503) or `without` (no claims of its own). Default `refuse`.
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

/// The claims decide what a token allows: nobody on the way may change them.
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
