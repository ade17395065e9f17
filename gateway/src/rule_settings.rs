use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::duration;

/// The proxy in front, and the rules by which requests are decided.
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Gateway {
    /// Proxy whose headers describe the request: `nginx`, `traefik` or `caddy`.
    pub proxy: Proxy,
    /// Scopes that rules may require.
    pub scopes: Vec<String>,
    /// Paths that the application could read as the path of a stricter rule (`/Admin`, `/admin.json`): `refuse` (400), or
    /// `pass` by the rule of the literal path.
    pub near_paths: Doubtful,
    /// Requests that name another method or path for the application (`X-HTTP-Method-Override`, `X-Original-URL`,
    /// `_method` in the query and similar): `refuse` (400), or `pass`.
    pub overrides: Doubtful,
    /// Rules, in any order: `methods`, `path`, `scope`, `public`, `literal`, `refuse_stale_after`. At least one is
    /// required.
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
    /// No token is required.
    pub public: bool,
    /// The forms that the application reads literally in its paths, of `%2F`, `%25`, `//` and `;`. Elsewhere they are
    /// refused: servers read them in two ways.
    pub literal: Vec<String>,
    /// Refuse without contact with the authority for this time; if absent, continue with the last known state.
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
