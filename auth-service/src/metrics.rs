//! Prometheus metrics. The only file that names them.
//!
//! Counters exist from the start, at zero, so that rates can be computed before the first event. No label holds a value
//! that a caller chose: no username, no address, no ID.

use std::sync::LazyLock;
use std::time::Duration;

use ::metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};

use crate::authority::Authority;
use crate::clients::GrantType;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Algorithm, KeyState};
use crate::revocations::RevocationTarget;
use crate::sessions::Rotation;

static METRICS: LazyLock<Handles> = LazyLock::new(Handles::new);

/// Handles: counting costs an addition, no lookup.
struct Handles {
    issued: Family<3>,
    logins: Family<6>,
    refreshes: Family<7>,
    revocations: Family<4>,
    pool_wait: Histogram,
    pool_exhausted: Counter,
    hash_wait: Histogram,
    hash_waiting: Gauge,
    hash_shed: Counter,
    sweep_failures: Counter,
}

impl Handles {
    fn new() -> Self {
        Self {
            issued: Family::new("signet_tokens_issued_total", "grant", GrantType::ALL.map(GrantType::as_str)),
            logins: Family::new(
                "signet_logins_total",
                "outcome",
                ["ok", "refused", "limited", "overloaded", "unavailable", "failed"],
            ),
            refreshes: Family::new(
                "signet_refreshes_total",
                "outcome",
                ["rotated", "repeated", "reused", "expired", "ended", "unknown", "unavailable"],
            ),
            revocations: Family::new(
                "signet_revocations_total",
                "kind",
                ["session", "token", "subject", "client"],
            ),
            pool_wait: histogram!("signet_database_pool_wait_seconds"),
            pool_exhausted: counter!("signet_database_pool_exhausted_total"),
            hash_wait: histogram!("signet_password_hash_wait_seconds"),
            hash_waiting: gauge!("signet_password_hash_waiting"),
            hash_shed: counter!("signet_password_hash_shed_total"),
            sweep_failures: counter!("signet_sweep_failures_total"),
        }
    }
}

/// The counters of one name, by the values that its label can have.
struct Family<const N: usize>([(&'static str, Counter); N]);

impl<const N: usize> Family<N> {
    fn new(name: &'static str, label: &'static str, values: [&'static str; N]) -> Self {
        Self(values.map(|value| (value, counter!(name, label => value))))
    }

    fn count(&self, value: &str) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == value) {
            counter.increment(1);
        }
    }
}

/// Creates and describes the metrics.
pub fn begin() {
    LazyLock::force(&METRICS);
    describe_counter!("signet_tokens_issued_total", "Access tokens issued, by grant type");
    describe_counter!("signet_logins_total", "Password logins, by outcome");
    describe_counter!("signet_refreshes_total", "Refreshes that reached the database, by outcome");
    describe_counter!("signet_revocations_total", "Revocations received, from any replica");
    describe_histogram!(
        "signet_database_pool_wait_seconds",
        "Time that requests waited for a database connection"
    );
    describe_counter!(
        "signet_database_pool_exhausted_total",
        "Requests that got no database connection in time"
    );
    describe_gauge!("signet_database_connections", "Database connections of the read pool, by state");
    describe_histogram!(
        "signet_password_hash_wait_seconds",
        "Time that passwords waited for a hashing thread"
    );
    describe_gauge!("signet_password_hash_waiting", "Passwords that are waiting for a hashing thread");
    describe_counter!(
        "signet_password_hash_shed_total",
        "Logins refused with 503 because the hashing queue was full"
    );
    describe_counter!("signet_claims_webhook_failures_total", "Requests to the claims webhook that failed");
    describe_counter!("signet_swept_rows_total", "Expired rows deleted by this replica");
    describe_counter!("signet_sweep_failures_total", "Sweeps of expired rows that failed");
    describe_gauge!("signet_feed_subscribers", "Open feed streams");
    describe_gauge!("signet_feed_age_seconds", "Time since the last successful poll of the database");
    describe_gauge!(
        "signet_feed_position",
        "Sequence number of the newest revocation that this replica knows"
    );
    describe_gauge!(
        "signet_live_revocations",
        "Revocations that can still match a token; verifiers accept at most 10,000,000"
    );
    describe_gauge!(
        "signet_audit_entries",
        "Sequence number of the newest entry of the audit log; it never decreases"
    );
    describe_gauge!("signet_signing_key_age_seconds", "Age of the active signing key");
    describe_gauge!("signet_public_keys", "Keys in the published key set");
    describe_gauge!("signet_ready", "1 if this replica is ready");
    describe_gauge!("signet_database_answers", "1 if the database answered the last poll");
}

/// An access token was issued.
pub fn issued(grant: GrantType) {
    METRICS.issued.count(grant.as_str());
}

pub fn login<T>(outcome: &Result<T>) {
    METRICS.logins.count(match outcome {
        Ok(_) => "ok",
        Err(Error { kind: ErrorKind::TooManyAttempts(_), .. }) => "limited",
        Err(Error { kind: ErrorKind::Overloaded, .. }) => "overloaded",
        Err(Error { kind: ErrorKind::Unavailable, .. }) => "unavailable",
        Err(Error { kind: ErrorKind::Internal, .. }) => "failed",
        Err(_) => "refused",
    });
}

/// What the storage decided about a refresh; `None` when it could not.
pub fn refresh(rotation: Option<&Rotation>) {
    METRICS.refreshes.count(match rotation {
        Some(Rotation::Holds { repeated: false, .. }) => "rotated",
        Some(Rotation::Holds { repeated: true, .. }) => "repeated",
        Some(Rotation::Reused { .. }) => "reused",
        Some(Rotation::Expired) => "expired",
        Some(Rotation::Ended(_)) => "ended",
        Some(Rotation::Unknown) => "unknown",
        None => "unavailable",
    });
}

/// A revocation was received, from any replica.
pub fn revoked(target: &RevocationTarget) {
    METRICS.revocations.count(match target {
        RevocationTarget::Session(_) => "session",
        RevocationTarget::Token(_) => "token",
        RevocationTarget::Subject { .. } => "subject",
        RevocationTarget::Client { .. } => "client",
    });
}

pub fn waited_for_connection(waited: Duration, got_one: bool) {
    METRICS.pool_wait.record(waited.as_secs_f64());
    if !got_one {
        METRICS.pool_exhausted.increment(1);
    }
}

/// A password came into the queue of the hasher.
pub fn hash_queued() {
    METRICS.hash_waiting.increment(1.0);
}

/// A password left the queue, after this time.
pub fn hash_begun(waited: Duration) {
    METRICS.hash_waiting.decrement(1.0);
    METRICS.hash_wait.record(waited.as_secs_f64());
}

/// A password that came found the queue full.
pub fn hash_shed() {
    METRICS.hash_shed.increment(1);
}

/// An e-mail was sent, or could not be sent.
pub fn email(sent: bool) {
    counter!("signet_emails_total", "outcome" => if sent { "sent" } else { "failed" }).increment(1);
}

/// The claims webhook did not answer, or said nonsense.
pub fn webhook_failed() {
    counter!("signet_claims_webhook_failures_total").increment(1);
}

/// Expired rows were deleted.
pub fn swept(table: &'static str, rows: usize) {
    counter!("signet_swept_rows_total", "table" => table).increment(u64::try_from(rows).unwrap_or(u64::MAX));
}

/// The number of the newest entry of the audit log.
pub fn audit_entries(seq: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    gauge!("signet_audit_entries").set(seq as f64);
}

pub fn sweep_failed() {
    METRICS.sweep_failures.increment(1);
}

/// One more, or one less, stream of a feed.
pub fn subscriptions(feed: &'static str, change: f64) {
    gauge!("signet_feed_subscribers", "feed" => feed).increment(change);
}

impl Authority {
    /// Sets the gauges that are read off when someone asks for them.
    pub fn sample_metrics(&self) {
        let now = self.now();
        gauge!("signet_ready").set(u8::from(self.check_ready().is_ok()));
        let answers = self.database_answers();
        gauge!("signet_database_answers").set(u8::from(answers));
        gauge!("signet_feed_age_seconds").set(self.sync.age().as_secs_f64().min(1e9));
        let position = self.revocations.position();
        #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
        gauge!("signet_feed_position").set(position.seq as f64);
        #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
        gauge!("signet_live_revocations").set(self.revocations.len() as f64);
        let (held, idle) = self.storage.pool_state();
        gauge!("signet_database_connections", "state" => "held").set(f64::from(held));
        gauge!("signet_database_connections", "state" => "idle").set(f64::from(idle));
        let ring = self.keys.ring();
        for algorithm in Algorithm::ALL {
            let of_algorithm = || ring.records.iter().filter(move |key| key.algorithm == algorithm);
            let active = of_algorithm().filter_map(|key| match key.state(now) {
                KeyState::Active { since } => Some(since.distance(now)),
                _ => None,
            });
            if let Some(age) = active.min() {
                gauge!("signet_signing_key_age_seconds", "algorithm" => algorithm.as_str())
                    .set(age.as_secs_f64());
            }
            let public = of_algorithm().filter(|key| key.state(now).is_public()).count();
            gauge!("signet_public_keys", "algorithm" => algorithm.as_str())
                .set(f64::from(u32::try_from(public).unwrap_or(u32::MAX)));
        }
    }
}
