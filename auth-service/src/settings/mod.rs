//! Settings: built-in defaults, then `--config FILE` (TOML), then `AUTH__SECTION__KEY` in the
//! environment. This is the only place that reads the environment.

mod accounts;
mod django;
mod load;
mod simplejwt;
mod webhook;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::duration;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::peer::TrustedProxies;
use service_kit::traces::Traces;

pub use accounts::{Accounts, Mail};
pub use django::Django;
pub use load::load;
pub use simplejwt::SimpleJwt;
pub use webhook::Webhook;

/// Everything that can be set. With nothing set, the authority runs on SQLite under `./data/`.
///
/// No `Debug`, here and on [`Database`]: the URL may hold a password, and cannot be printed by accident.
#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Settings {
    /// `AUTH__ISSUER`: the `iss` of every token and the base of every URL in the metadata. Verifiers
    /// compare it byte by byte. Default `http://127.0.0.1:8080`.
    #[serde(deserialize_with = "service_kit::settings::issuer")]
    pub issuer: String,
    /// `AUTH__DRAIN_DELAY`: how long, after SIGTERM, requests are still taken while `/readyz` and the health check
    /// say that this replica is not ready: longer than the balancer in front needs to notice. 0 to 60 seconds.
    /// Default `1s`.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub drain_delay: Duration,
    pub http: Http,
    pub grpc: Grpc,
    pub database: Database,
    pub keys: Keys,
    pub tokens: Tokens,
    pub simplejwt: SimpleJwt,
    /// `[claims]`, in the file only: claims of a person's tokens by the attribute of the account that they take,
    /// `is_staff = "is_staff"`. None by default.
    pub claims: BTreeMap<String, String>,
    /// `[claims_webhook]`: a service that is asked for more claims.
    pub claims_webhook: Webhook,
    /// `[django]`: what `import django` reads.
    pub django: Django,
    pub passwords: Passwords,
    pub accounts: Accounts,
    pub mail: Mail,
    pub sweep: Sweep,
    pub limits: Limits,
    /// `AUTH__TRUSTED_PROXIES`: addresses and networks, separated by commas, whose `X-Forwarded-For` is believed.
    /// None by default.
    pub trusted_proxies: TrustedProxies,
    /// `AUTH__METRICS__BIND`: where `GET /metrics` is answered, for Prometheus; `off` for nowhere. Port 0 takes a
    /// free one. Default `127.0.0.1:9464`.
    pub metrics: Metrics,
    /// `AUTH__TRACES__ENDPOINT` (an OTLP collector, or `off`) and `AUTH__TRACES__RATIO`. Default `off`, 1.
    pub traces: Traces,
    /// `AUTH__LOG__FORMAT` (`text` or `json`) and `AUTH__LOG__LEVEL`. Default `text`, `info`.
    pub log: Log,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Http {
    /// `AUTH__HTTP__BIND`. Port 0 takes a free one. Default `127.0.0.1:8080`.
    pub bind: SocketAddr,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Grpc {
    /// `AUTH__GRPC__BIND`. Port 0 takes a free one. Default `127.0.0.1:9090`.
    pub bind: SocketAddr,
    /// `AUTH__GRPC__REFLECTION`: lets tools list the services; for development. Default `false`.
    pub reflection: bool,
    /// `AUTH__GRPC__MAX_WATCHES`: streams of revocations and keys at one time, two for each verifier,
    /// 1 to 100,000. Default 25000.
    #[serde(deserialize_with = "load::max_watches")]
    pub max_watches: usize,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Database {
    /// `AUTH__DATABASE__URL`: `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    /// Default `sqlite://data/signet.db`.
    pub url: String,
    /// `AUTH__DATABASE__URL_FILE`: a file that holds the URL, for deployments that keep secrets in
    /// files. It wins over the URL itself. Not set by default.
    pub url_file: Option<PathBuf>,
    /// `AUTH__DATABASE__MIGRATE`: bring the schema up to date at the start; `false` refuses to start
    /// on an old schema instead. Default `true`.
    pub migrate: bool,
    /// `AUTH__DATABASE__POOL_SIZE`: connections, 1 to 100. Default 8.
    #[serde(deserialize_with = "load::pool_size")]
    pub pool_size: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Keys {
    /// `AUTH__KEYS__MASTER_KEY_FILE`: 32 bytes in base64url, mode 0600; made at the first start.
    /// Default `data/master.key`.
    pub master_key_file: PathBuf,
    /// `AUTH__KEYS__ALGORITHM`: `EdDSA`, `ES256` or `RS256`, for audiences without one of their own.
    /// Default `EdDSA`.
    #[serde(deserialize_with = "load::algorithm")]
    pub algorithm: String,
    /// `AUTH__KEYS__ROTATION_PERIOD`: how long a key signs, 1 minute to 10 years. Default `30d`.
    #[serde(
        deserialize_with = "duration::between::<_, 60, 315_360_000>",
        serialize_with = "duration::write"
    )]
    pub rotation_period: Duration,
    /// `AUTH__KEYS__PUBLISH_LEAD`: how long before it signs a rotation is scheduled, and a key that is new to
    /// verifiers is published, 1 second to 1 day. Default `5m`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub publish_lead: Duration,
    /// `AUTH__KEYS__JWKS_MAX_AGE`: how long HTTP caches may hold the key set and the metadata, 1 second to 1 day, at
    /// most half of the publish lead. Default: half of the publish lead.
    #[serde(deserialize_with = "duration::optional", serialize_with = "duration::write_optional")]
    pub jwks_max_age: Option<Duration>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Tokens {
    /// `AUTH__TOKENS__ACCESS_TTL`: life of an access token, 1 second to 1 day. Default `5m`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub access_ttl: Duration,
    /// `AUTH__TOKENS__REFRESH_IDLE_TTL`: a session that is not refreshed for this long ends, 1 second
    /// to 1 year. Default `24h`.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub refresh_idle_ttl: Duration,
    /// `AUTH__TOKENS__REFRESH_ABSOLUTE_TTL`: a session ends after this long, 1 second to 1 year.
    /// Default `30d`.
    #[serde(deserialize_with = "duration::between::<_, 1, 31_536_000>", serialize_with = "duration::write")]
    pub refresh_absolute_ttl: Duration,
    /// `AUTH__TOKENS__REFRESH_GRACE`: how long a used refresh token still gets the successor that it
    /// already has, 0 to 60 seconds; `0s` makes every retry a reuse. Default `10s`.
    #[serde(deserialize_with = "duration::between::<_, 0, 60>", serialize_with = "duration::write")]
    pub refresh_grace: Duration,
    /// `AUTH__TOKENS__OFFLINE_ISSUING`: how long client tokens are issued from memory while the database cannot be seen,
    /// 5 seconds to 1 day; then 503. A client that was disabled meanwhile may get tokens for so long, which verifiers
    /// refuse. Default `60s`.
    #[serde(deserialize_with = "duration::between::<_, 5, 86_400>", serialize_with = "duration::write")]
    pub offline_issuing: Duration,
    /// `AUTH__TOKENS__MAX_SESSIONS`: most live sessions of one user, 1 to 100,000; beyond it the oldest ends. Default
    /// 1000.
    #[serde(deserialize_with = "load::max_sessions")]
    pub max_sessions: u32,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Passwords {
    /// `AUTH__PASSWORDS__THREADS`: how many passwords are hashed at once, 1 to 64; 0 for one a core.
    /// Default 0.
    #[serde(deserialize_with = "load::threads")]
    pub threads: usize,
    /// `AUTH__PASSWORDS__MIN_CHARACTERS`: of a password that is set, 8 to 64; NIST SP 800-63B-4 asks for 15 where it is
    /// the only factor. Default 8.
    #[serde(deserialize_with = "load::min_characters")]
    pub min_characters: u32,
}

/// How many failed logins are forgiven within the window, over all paths and replicas; 0 to 1,000,000, 0 for no
/// limit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Limits {
    /// `AUTH__LIMITS__PAIR`: of one account from one peer (IPv4 address, or IPv6 network of 64 bits). Default 10.
    #[serde(deserialize_with = "load::limit")]
    pub pair: u32,
    /// `AUTH__LIMITS__ACCOUNT`: of one account from everywhere. Default 100.
    #[serde(deserialize_with = "load::limit")]
    pub account: u32,
    /// `AUTH__LIMITS__PEER`: from one peer, of whatever accounts. Default 100.
    #[serde(deserialize_with = "load::limit")]
    pub peer: u32,
    /// `AUTH__LIMITS__WINDOW`: in which so many are forgotten again, one by one, 1 second to 1 day. Default `10m`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub window: Duration,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default)]
pub struct Sweep {
    /// `AUTH__SWEEP__INTERVAL`: how often expired rows are deleted, by one replica for all, 1 second to 1 day.
    /// Default `10m`.
    #[serde(deserialize_with = "duration::between::<_, 1, 86_400>", serialize_with = "duration::write")]
    pub interval: Duration,
    /// `AUTH__SWEEP__KEEP`: how long a session or a revocation is kept after it has expired, 0 seconds to 1 year. A
    /// clock that was wrong for less than this takes nothing away that is still needed. Default `24h`.
    #[serde(deserialize_with = "duration::between::<_, 0, 31_536_000>", serialize_with = "duration::write")]
    pub keep: Duration,
}

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "http://127.0.0.1:8080".to_owned(),
            drain_delay: Duration::from_secs(1),
            http: Http::default(),
            grpc: Grpc::default(),
            database: Database::default(),
            keys: Keys::default(),
            tokens: Tokens::default(),
            simplejwt: SimpleJwt::default(),
            claims: BTreeMap::new(),
            claims_webhook: Webhook::default(),
            django: Django::default(),
            passwords: Passwords::default(),
            accounts: Accounts::default(),
            mail: Mail::default(),
            sweep: Sweep::default(),
            limits: Limits::default(),
            trusted_proxies: TrustedProxies::default(),
            metrics: Metrics::on_loopback(9464),
            traces: Traces::default(),
            log: Log::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: loopback(8080) }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self { bind: loopback(9090), reflection: false, max_watches: 25_000 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://data/signet.db".to_owned(), url_file: None, migrate: true, pool_size: 8 }
    }
}

impl Keys {
    /// How long HTTP caches may hold documents that name keys.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.jwks_max_age.unwrap_or(self.publish_lead / 2)
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            master_key_file: PathBuf::from("data/master.key"),
            algorithm: "EdDSA".to_owned(),
            rotation_period: Duration::from_secs(30 * 24 * 3600),
            publish_lead: Duration::from_secs(300),
            jwks_max_age: None,
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(300),
            refresh_idle_ttl: Duration::from_secs(24 * 3600),
            refresh_absolute_ttl: Duration::from_secs(30 * 24 * 3600),
            refresh_grace: Duration::from_secs(10),
            offline_issuing: Duration::from_secs(60),
            max_sessions: 1000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { pair: 10, account: 100, peer: 100, window: Duration::from_secs(600) }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        Self { interval: Duration::from_secs(600), keep: Duration::from_secs(24 * 3600) }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self { threads: 0, min_characters: 8 }
    }
}
