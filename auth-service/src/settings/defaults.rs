//! What holds where nothing is set.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use service_kit::client_ip::TrustedProxies;
use service_kit::cors::Origins;
use service_kit::logging::Log;
use service_kit::metrics::Metrics;
use service_kit::tls::Tls;
use service_kit::traces::Traces;

use super::{
    Accounts, Audit, Backup, Bootstrap, BrowserSessions, Database, Device, Django, Dpop, Grpc, Http, Keys,
    Limits, Mail, OpenId, Outbound, Pages, Passwords, Settings, SimpleJwt, Sweep, Tokens, Webhook,
};

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "http://127.0.0.1:8080".to_owned(),
            drain_delay: Duration::from_secs(1),
            http: Http::default(),
            grpc: Grpc::default(),
            tls: Tls::default(),
            database: Database::default(),
            keys: Keys::default(),
            bootstrap: Bootstrap::default(),
            tokens: Tokens::default(),
            openid: OpenId::default(),
            device: Device::default(),
            dpop: Dpop::default(),
            browser_sessions: BrowserSessions::default(),
            pages: Pages::default(),
            simplejwt: SimpleJwt::default(),
            claims: BTreeMap::new(),
            claims_webhook: Webhook::default(),
            django: Django::default(),
            passwords: Passwords::default(),
            accounts: Accounts::default(),
            mail: Mail::default(),
            sweep: Sweep::default(),
            audit: Audit::default(),
            backup: Backup::default(),
            limits: Limits::default(),
            trusted_proxies: TrustedProxies::default(),
            outbound: Outbound::default(),
            metrics: Metrics::on_loopback(9464),
            traces: Traces::default(),
            log: Log::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { bind: loopback(8080), cors_allowed_origins: Origins::default(), docs: true }
    }
}

impl Default for Grpc {
    fn default() -> Self {
        Self { bind: loopback(9090), url: None, reflection: false, max_watches: 25_000 }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: "sqlite://data/signet.db".to_owned(), url_file: None, migrate: true, pool_size: 8 }
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
        Self { pair: 10, account: 100, client_ip: 100, window: Duration::from_secs(600) }
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

const fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
