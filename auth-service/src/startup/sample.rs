//! Gauges that are read when metrics are scraped.

use ::metrics::gauge;

use crate::authority::Authority;
use crate::keys::{Algorithm, KeyState};

/// Sets the gauges.
pub(super) fn sample_metrics(authority: &Authority) {
    let now = authority.now();
    gauge!("signet_ready").set(u8::from(authority.check_ready().is_ok()));
    let answers = authority.database_answers();
    gauge!("signet_database_answers").set(u8::from(answers));
    gauge!("signet_feed_age_seconds").set(authority.sync.age().as_secs_f64().min(1e9));
    let position = authority.reader.revocations.position();
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    gauge!("signet_feed_position").set(position.seq as f64);
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    gauge!("signet_live_revocations").set(authority.reader.revocations.len() as f64);
    let (held, idle) = authority.storage.pool_state();
    gauge!("signet_database_connections", "state" => "held").set(f64::from(held));
    gauge!("signet_database_connections", "state" => "idle").set(f64::from(idle));
    let ring = authority.issuer.keys.ring();
    for algorithm in Algorithm::ALL {
        let of_algorithm = || ring.records.iter().filter(move |key| key.algorithm == algorithm);
        let active = of_algorithm().filter_map(|key| {
            if let KeyState::Active { since } = key.state(now) { Some(since.distance(now)) } else { None }
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
