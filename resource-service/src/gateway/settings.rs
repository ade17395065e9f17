use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::duration;

/// Who asks, and by which rules requests are judged. Rules stand in the settings file.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Gateway {
    /// Which headers describe the request; those of others are the client's own and not looked at.
    /// Default `nginx`.
    pub proxy: Proxy,
    /// The scopes that exist; rules may name no others. Default none.
    pub scopes: Vec<String>,
    /// What happens to a path that the application may take for one of a longer rule: `refuse` (400), or `pass` by the
    /// rule of its own letters, for applications that tell `/Admin`, `/admin.json` and `/admin` apart. Default `refuse`.
    pub near_paths: Doubtful,
    /// What happens to a request that names another method or path for the application (`X-HTTP-Method-Override`,
    /// `X-Original-URL`, `_method` in the query and their like): `refuse` (400), or `pass`. Default `refuse`.
    pub overrides: Doubtful,
    /// In any order. With none `/verify` is not served.
    pub rules: Vec<RuleSettings>,
}

/// What happens to a request that proxy and application may read differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Doubtful {
    #[default]
    Refuse,
    Pass,
}

/// How a proxy describes the request that it asks about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Proxy {
    /// `X-Original-Method` and `X-Original-URI`, as `deploy/nginx` sets them.
    #[default]
    Nginx,
    /// `X-Forwarded-Method` and `X-Forwarded-Uri`.
    Traefik,
    /// The same as Traefik.
    Caddy,
}

/// One rule.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSettings {
    /// In capitals; none for all.
    pub methods: Vec<String>,
    /// `/notes` stands for itself and for everything below it.
    pub path: String,
    /// What the token must hold; without it any token that is valid here passes.
    pub scope: Option<String>,
    /// Nobody needs a token.
    pub public: bool,
    /// The forms that the application reads literally in its paths, of `%2F`, `%25`, `//` and `;`. Elsewhere they are
    /// refused: servers read them in two ways.
    pub literal: Vec<String>,
    /// Refuse when the authority was not heard for this long; go on by what is known if absent.
    #[serde(
        deserialize_with = "duration::optional",
        serialize_with = "duration::write_optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub refuse_stale_after: Option<Duration>,
}

impl Proxy {
    /// The names of the headers with method and target.
    #[must_use]
    pub fn headers(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("x-original-method", "x-original-uri"),
            Self::Traefik | Self::Caddy => ("x-forwarded-method", "x-forwarded-uri"),
        }
    }
}
