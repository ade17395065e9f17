//! When a key is needed, and what a rotation changes: pure functions of the records and the clock.

use std::time::Duration;

use super::{Algorithm, KeyRecord, KeyState};
use crate::clock::Timestamp;

/// How keys come and go.
#[derive(Debug, Clone, Copy)]
pub struct KeyPolicy {
    /// How long a key signs before its successor takes over.
    pub rotation_period: Duration,
    /// How long a key is published before it signs, so that verifiers have it by then.
    pub publish_lead: Duration,
    /// How long the last token that a key signed may be accepted somewhere.
    pub longest_token: Duration,
}

/// A key that makes room for its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    pub kid: String,
    pub retires_at: Timestamp,
    pub removed_at: Timestamp,
}

/// When a key that an algorithm lacks must start to sign: at once when nothing else can, or when an
/// audience has asked for this algorithm, even if a successor is published already (its predecessor was
/// revoked); else after the lead, while the keys of the algorithm that was the default before go on
/// signing. `None` when there is nothing to do.
#[must_use]
pub fn needed_key(
    records: &[KeyRecord],
    (algorithm, asked_by_audience): (Algorithm, bool),
    now: Timestamp,
    policy: &KeyPolicy,
) -> Option<Timestamp> {
    let of_algorithm = |key: &&KeyRecord| key.algorithm == algorithm;
    let mut active = records.iter().filter(|key| matches!(key.state(now), KeyState::Active { .. }));
    if active.clone().any(|key| of_algorithm(&key)) {
        return None;
    }
    let another_signs = active.next().is_some();
    if !another_signs || asked_by_audience {
        return Some(now);
    }
    let waiting = records
        .iter()
        .filter(of_algorithm)
        .any(|key| matches!(key.state(now), KeyState::Prepared { .. } | KeyState::Published { .. }));
    if waiting { None } else { Some(now.plus(policy.publish_lead)) }
}

/// Whether the schedule wants a successor now: early enough to be published for the whole lead.
#[must_use]
pub fn rotation_due(records: &[KeyRecord], algorithm: Algorithm, now: Timestamp, policy: &KeyPolicy) -> bool {
    let mut of_algorithm = records.iter().filter(|key| key.algorithm == algorithm);
    let waiting = of_algorithm
        .clone()
        .any(|key| matches!(key.state(now), KeyState::Prepared { .. } | KeyState::Published { .. }));
    let prepare_at = policy.rotation_period.saturating_sub(policy.publish_lead);
    let old = of_algorithm.any(|key| match key.state(now) {
        KeyState::Active { since } => since.plus(prepare_at) <= now,
        _ => false,
    });
    old && !waiting
}

/// The retirements that a key brings which starts to sign at `activates_at`: every key of its
/// algorithm that signs now, or would have.
#[must_use]
pub fn successor(
    records: &[KeyRecord],
    algorithm: Algorithm,
    (now, activates_at): (Timestamp, Timestamp),
    policy: &KeyPolicy,
) -> Vec<Retirement> {
    let makes_room = |key: &&KeyRecord| {
        key.algorithm == algorithm
            && matches!(
                key.state(now),
                KeyState::Prepared { .. } | KeyState::Published { .. } | KeyState::Active { .. }
            )
    };
    let retirement = |key: &KeyRecord| {
        let retires_at = key.retires_at.map_or(activates_at, |at| at.min(activates_at));
        Retirement { kid: key.kid.clone(), retires_at, removed_at: retires_at.plus(policy.longest_token) }
    };
    records.iter().filter(makes_room).map(retirement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: KeyPolicy = KeyPolicy {
        rotation_period: Duration::from_secs(1000),
        publish_lead: Duration::from_secs(100),
        longest_token: Duration::from_secs(60),
    };

    fn key(kid: &str, algorithm: Algorithm, activates_at: i64) -> KeyRecord {
        KeyRecord {
            kid: kid.to_owned(),
            algorithm,
            sealed_private_key: vec![],
            public_jwk: String::new(),
            created_at: Timestamp(0),
            published_at: Timestamp(0),
            activates_at: Timestamp(activates_at),
            retires_at: None,
            removed_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn the_first_key_signs_at_once_and_a_new_default_waits_for_its_lead() {
        let need = |records: &[KeyRecord], algorithm, asked| {
            needed_key(records, (algorithm, asked), Timestamp(5000), &POLICY)
        };
        let ed = key("a", Algorithm::EdDsa, 0);
        assert_eq!(need(&[], Algorithm::EdDsa, false), Some(Timestamp(5000)));
        assert_eq!(need(std::slice::from_ref(&ed), Algorithm::EdDsa, false), None);
        assert_eq!(need(std::slice::from_ref(&ed), Algorithm::Es256, false), Some(Timestamp(105_000)));
        assert_eq!(need(&[ed], Algorithm::Es256, true), Some(Timestamp(5000)));
        let waiting = key("b", Algorithm::EdDsa, 9000);
        assert_eq!(need(std::slice::from_ref(&waiting), Algorithm::EdDsa, false), Some(Timestamp(5000)));
        assert_eq!(need(&[key("a", Algorithm::Es256, 0), waiting], Algorithm::EdDsa, false), None);
        let revoked = KeyRecord { revoked_at: Some(Timestamp(1)), ..key("a", Algorithm::EdDsa, 0) };
        assert_eq!(need(&[revoked], Algorithm::EdDsa, false), Some(Timestamp(5000)));
    }

    #[test]
    fn a_rotation_is_due_one_lead_before_the_period_ends_and_only_once() {
        let active = key("a", Algorithm::EdDsa, 0);
        let due = |records: &[KeyRecord], at| rotation_due(records, Algorithm::EdDsa, Timestamp(at), &POLICY);
        assert!(!due(std::slice::from_ref(&active), 899_999));
        assert!(due(std::slice::from_ref(&active), 900_000));
        assert!(!due(&[active, key("b", Algorithm::EdDsa, 1_000_000)], 900_000));
    }

    #[test]
    fn a_successor_retires_the_keys_of_its_algorithm_when_it_starts_to_sign() {
        let records = [key("a", Algorithm::EdDsa, 0), key("b", Algorithm::Es256, 0)];
        let times = (Timestamp(900_000), Timestamp(1_000_000));
        let retirements = successor(&records, Algorithm::EdDsa, times, &POLICY);
        let expected = Retirement {
            kid: "a".to_owned(),
            retires_at: Timestamp(1_000_000),
            removed_at: Timestamp(1_060_000),
        };
        assert_eq!(retirements, [expected]);
    }

    #[test]
    fn a_key_walks_through_its_states_by_the_clock_alone() {
        let key = KeyRecord {
            published_at: Timestamp(10),
            activates_at: Timestamp(20),
            retires_at: Some(Timestamp(30)),
            removed_at: Some(Timestamp(40)),
            ..key("a", Algorithm::EdDsa, 0)
        };
        let states = [(9, "prepared"), (10, "published"), (20, "active"), (30, "retired"), (40, "removed")];
        for (at, state) in states {
            assert_eq!(key.state(Timestamp(at)).as_str(), state);
        }
    }
}
