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

static METRICS: LazyLock<Handles> = LazyLock::new(Handles::new);

/// Handles: counting costs an addition, no lookup.
struct Handles {
    issued: Family<6>,
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
            issued: Family::new(
                "signet_tokens_issued_total",
                "grant",
                [
                    "authorization_code",
                    "client_credentials",
                    "urn:ietf:params:oauth:grant-type:device_code",
                    "refresh_token",
                    "password",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ],
            ),
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
        let counter = self.0.iter().find(|(known, _)| *known == value);
        debug_assert!(counter.is_some(), "no series for {value}");
        if let Some((_, counter)) = counter {
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
    describe_counter!("signet_logout_notices_total", "Attempts to tell clients of a logout, by outcome");
    describe_gauge!("signet_logout_notices_waiting", "Logout notices that clients have not received yet");
    describe_gauge!("signet_logout_notices_oldest_seconds", "Age of the oldest logout notice that waits");
    describe_gauge!("signet_ready", "1 if this replica is ready");
    describe_gauge!("signet_database_answers", "1 if the database answered the last poll");
}

/// An access token was issued, by its grant type.
pub fn issued(grant: &'static str) {
    METRICS.issued.count(grant);
}

/// A password login ended.
pub fn login(outcome: &'static str) {
    METRICS.logins.count(outcome);
}

/// A refresh reached the database, or could not.
pub fn refresh(outcome: &'static str) {
    METRICS.refreshes.count(outcome);
}

/// A revocation was received, from any replica.
pub fn revoked(kind: &'static str) {
    METRICS.revocations.count(kind);
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

/// A client was told of a logout, or could not be told.
pub fn logout_notice(told: bool) {
    counter!("signet_logout_notices_total", "outcome" => if told { "told" } else { "failed" }).increment(1);
}

/// Logout notices that wait, and the age of the oldest one.
pub fn logout_notices_waiting(count: i64, oldest: Duration) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    gauge!("signet_logout_notices_waiting").set(count as f64);
    gauge!("signet_logout_notices_oldest_seconds").set(oldest.as_secs_f64());
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
