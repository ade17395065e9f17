//! Settings: built-in defaults, then `--config FILE` (TOML), then `AUTH__SECTION__KEY` in the
//! environment. This is the only place that reads the environment.

mod accounts;
mod bootstrap;
mod defaults;
mod django;
mod dpop;
mod limits;
mod listeners;
mod load;
mod login;
mod outbound;
mod reference;
mod simplejwt;
mod webhook;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use service_kit::client_ip::TrustedProxies;
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::tls::Tls;
use service_kit::traces::Traces;

pub use accounts::{Accounts, Mail};
pub use bootstrap::Bootstrap;
pub use django::Django;
pub use dpop::Dpop;
pub use limits::{Audit, Backup, Limits, Sweep};
pub use listeners::{Grpc, Http};
pub use load::load;
pub use login::{BrowserSessions, Device, OpenId, Pages};
pub use outbound::Outbound;
pub use reference::reference;
pub use simplejwt::SimpleJwt;
pub use webhook::Webhook;

/// Everything that can be set. With nothing set, the authority runs on SQLite under `./data/`.
///
/// No `Debug`, here and on [`Database`]: the URL may hold a password, and cannot be printed by accident.
#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `iss` of every token, and base of every URL in the metadata. Verifiers compare it byte by byte.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub issuer: String,
    /// Time after SIGTERM during which requests are still served while `/readyz` reports not ready; longer than the
    /// load balancer needs to notice. 0 to 60 s.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub drain_delay: Duration,
    /// The HTTP listener.
    pub http: Http,
    /// The gRPC listener.
    pub grpc: Grpc,
    /// TLS of both listeners.
    pub tls: Tls,
    /// The database.
    pub database: Database,
    /// Signing keys and the master key.
    pub keys: Keys,
    /// The first administrator.
    pub bootstrap: Bootstrap,
    /// Lifetimes of tokens and sessions.
    pub tokens: Tokens,
    /// OpenID Connect: logins in a browser.
    pub openid: OpenId,
    /// Logins of devices without a browser.
    pub device: Device,
    /// Tokens that are bound to a key (DPoP).
    pub dpop: Dpop,
    /// Browser sessions (single sign-on).
    pub browser_sessions: BrowserSessions,
    /// The pages that users see.
    pub pages: Pages,
    /// The endpoints of djangorestframework-simplejwt, and the previous issuer.
    pub simplejwt: SimpleJwt,
    /// Claims in the tokens of users, each with the attribute of the user that it takes: `is_staff = "is_staff"`.
    pub claims: BTreeMap<String, String>,
    /// A service that returns more claims.
    pub claims_webhook: Webhook,
    /// What `import django` reads.
    pub django: Django,
    /// Rules for new passwords, and hashing.
    pub passwords: Passwords,
    /// The account API.
    pub accounts: Accounts,
    /// The mail server.
    pub mail: Mail,
    /// Deletion of expired rows.
    pub sweep: Sweep,
    /// The audit log.
    pub audit: Audit,
    /// Backups.
    pub backup: Backup,
    /// Limits of failed logins.
    pub limits: Limits,
    /// Addresses and networks of proxies whose `X-Forwarded-For` is trusted, separated by commas.
    pub trusted_proxies: TrustedProxies,
    /// Documents of others that the authority fetches, such as the keys of clients.
    pub outbound: Outbound,
    /// Prometheus metrics.
    pub metrics: Metrics,
    /// OpenTelemetry traces.
    pub traces: Traces,
    /// The log.
    pub log: Log,
}

#[derive(Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Database {
    /// `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`, with the parameters of libpq.
    pub url: String,
    /// File that holds the URL; overrides `url`.
    pub url_file: Option<PathBuf>,
    /// Migrate the schema at start; `false` refuses to start on an old schema.
    pub migrate: bool,
    /// Maximum number of connections for requests. 1 to 100.
    #[serde(deserialize_with = "load::pool_size")]
    pub pool_size: u32,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Keys {
    /// File with the master key (32 bytes, base64url, mode 0600), created at the first start. Back it up.
    pub master_key_file: PathBuf,
    /// `EdDSA`, `ES256` or `RS256`: signs tokens of audiences without an algorithm of their own.
    #[serde(deserialize_with = "load::algorithm")]
    pub algorithm: String,
    /// How long a key signs. 1 minute to 10 years.
    #[serde(
        deserialize_with = "duration::between::<_, 60, 315_360_000>",
        serialize_with = "duration::write"
    )]
    pub rotation_period: Duration,
    /// How long before it signs a rotation is scheduled, and a key that is new to verifiers is published. 1 s to 1
    /// day.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub publish_lead: Duration,
    /// How long HTTP caches may hold the key set and the metadata. 1 s to half of the publish lead, which is the
    /// default.
    #[serde(deserialize_with = "duration::optional", serialize_with = "duration::write_optional")]
    pub jwks_max_age: Option<Duration>,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Tokens {
    /// Lifetime of an access token. 1 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub access_ttl: Duration,
    /// A session ends after this time without a refresh. 1 s to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub refresh_idle_ttl: Duration,
    /// A session ends after this time, however often it is refreshed. 1 s to 1 year.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub refresh_absolute_ttl: Duration,
    /// How long the previous refresh token still returns the same successor; `0s` treats every retry as reuse. 0 to
    /// 60 s.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub refresh_grace: Duration,
    /// How long client tokens are issued without contact with the database; then 503. 5 s to 1 day.
    #[serde(deserialize_with = "duration::between::<_, 5, 86_400>", serialize_with = "duration::write")]
    pub offline_issuing: Duration,
    /// Maximum number of live sessions of one user; the oldest one ends beyond it. 1 to 100,000.
    #[serde(deserialize_with = "load::max_sessions")]
    pub max_sessions: u32,
}

#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Passwords {
    /// Number of passwords hashed at once; 0 for one per core. 0 to 64.
    #[serde(deserialize_with = "load::threads")]
    pub threads: usize,
    /// Minimum length of a new password, in characters. 8 to 64; NIST SP 800-63B-4 requires 15 where it is the only
    /// factor.
    #[serde(deserialize_with = "load::min_characters")]
    pub min_characters: u32,
}

impl Keys {
    /// How long HTTP caches may hold documents that name keys.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.jwks_max_age.unwrap_or(self.publish_lead / 2)
    }
}
