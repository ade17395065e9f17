//! When a key must be created or scheduled, and what that changes: pure functions of the records and the clock.

use std::time::Duration;

use super::{Algorithm, KeyRecord, KeyState, UNSCHEDULED};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};

/// Verifiers refuse a key set of more than 50; a rotation by hand stops before.
const MOST_PUBLIC_KEYS: usize = 40;

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

/// A key that retires for its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    pub kid: String,
    pub retires_at: Timestamp,
    pub removed_at: Timestamp,
}

/// The algorithm that a step is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyDemand {
    pub algorithm: Algorithm,
    /// An audience asked for it: its tokens cannot be signed by another algorithm meanwhile.
    pub by_audience: bool,
}

/// A change that the keys of an algorithm need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyStep {
    /// Generate a key. At [`UNSCHEDULED`] it becomes the standby key.
    Create { activates_at: Timestamp },
    /// Let a published key sign from then on.
    Schedule { kid: String, activates_at: Timestamp },
}

/// A published key that takes over from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    pub kid: String,
    pub activates_at: Timestamp,
    pub retirements: Vec<Retirement>,
}

/// The next step for an algorithm, `None` when its keys are as they should be: one signs, its successor is scheduled
/// one lead before the period ends, and one more is published without a date. Verifiers that cache the key set hold
/// that standby key long before a rotation at once or a revocation needs it.
#[must_use]
pub(crate) fn next_step(
    records: &[KeyRecord],
    demand: KeyDemand,
    now: Timestamp,
    policy: &KeyPolicy,
) -> Option<KeyStep> {
    let keys = || records.iter().filter(|key| key.algorithm == demand.algorithm);
    let due = activation_due(records, demand, now, policy);
    if let Some(activates_at) = due {
        let waiting = successor_candidate(records, demand.algorithm, now, activates_at);
        return Some(match waiting {
            Some(key) => KeyStep::Schedule { kid: key.kid.clone(), activates_at },
            None => KeyStep::Create { activates_at },
        });
    }
    let in_use = keys().any(|key| key.state(now).signs_or_will());
    let standby = keys().any(|key| matches!(key.state(now), KeyState::Standby));
    (in_use && !standby && has_room(records, now)).then_some(KeyStep::Create { activates_at: UNSCHEDULED })
}

/// The key that takes over at `activates_at`. At once it is the one that verifiers have had the longest time to fetch; else
/// the one that is scheduled first, then the standby key.
#[must_use]
pub(crate) fn successor_candidate(
    records: &[KeyRecord],
    algorithm: Algorithm,
    now: Timestamp,
    activates_at: Timestamp,
) -> Option<&KeyRecord> {
    let waits = |key: &&KeyRecord| {
        key.algorithm == algorithm && matches!(key.state(now), KeyState::Published { .. } | KeyState::Standby)
    };
    let waiting = records.iter().filter(waits);
    if activates_at <= now {
        return waiting.min_by_key(|key| (key.published_at, key.activates_at));
    }
    waiting.min_by_key(|key| (key.activates_at, key.published_at))
}

/// Whether one more key may be published.
#[must_use]
pub(crate) fn has_room(records: &[KeyRecord], now: Timestamp) -> bool {
    records.iter().filter(|key| key.state(now).is_public()).count() < MOST_PUBLIC_KEYS
}

/// When a key must start to sign that does not yet.
fn activation_due(
    records: &[KeyRecord],
    demand: KeyDemand,
    now: Timestamp,
    policy: &KeyPolicy,
) -> Option<Timestamp> {
    let active = |key: &KeyRecord| matches!(key.state(now), KeyState::Active { .. });
    let scheduled = records.iter().any(|key| {
        key.algorithm == demand.algorithm
            && matches!(key.state(now), KeyState::Prepared { .. } | KeyState::Published { .. })
    });
    let mut own = records.iter().filter(|key| key.algorithm == demand.algorithm && active(key)).peekable();
    if own.peek().is_none() {
        // Its key was revoked: the standby key is known to verifiers for long enough. Another algorithm would not do.
        let known = successor_candidate(records, demand.algorithm, now, now)
            .is_some_and(|key| key.published_at.plus(CLOCK_DIFFERENCE + policy.publish_lead) <= now);
        if known || demand.by_audience || !records.iter().any(active) {
            return Some(now);
        }
        return (!scheduled).then(|| now.plus(policy.publish_lead));
    }
    let schedule_at = policy.rotation_period.saturating_sub(policy.publish_lead);
    let old = own.any(|key| key.activates_at.plus(schedule_at) <= now);
    (old && !scheduled).then(|| now.plus(policy.publish_lead))
}

/// The retirements that a key brings which starts to sign at `activates_at`: every key of its
/// algorithm that signs now, or is scheduled to. A standby key stays what it is.
#[must_use]
pub(crate) fn retirements(
    records: &[KeyRecord],
    algorithm: Algorithm,
    now: Timestamp,
    activates_at: Timestamp,
    policy: &KeyPolicy,
) -> Vec<Retirement> {
    if activates_at == UNSCHEDULED {
        return Vec::new();
    }
    let retirement = |key: &KeyRecord| {
        let retires_at = key.retires_at.map_or(activates_at, |at| at.min(activates_at));
        Retirement { kid: key.kid.clone(), retires_at, removed_at: retires_at.plus(policy.longest_token) }
    };
    records
        .iter()
        .filter(|key| key.algorithm == algorithm && key.state(now).signs_or_will())
        .map(retirement)
        .collect()
}

/// The takeover by a key that waits, at `activates_at` or at the earlier time that it is scheduled for.
#[must_use]
pub(crate) fn takeover(
    records: &[KeyRecord],
    kid: &str,
    now: Timestamp,
    activates_at: Timestamp,
    policy: &KeyPolicy,
) -> Option<Takeover> {
    let key = records.iter().find(|key| key.kid == kid)?;
    if !matches!(key.state(now), KeyState::Published { .. } | KeyState::Standby) {
        return None;
    }
    let activates_at = activates_at.min(key.activates_at);
    let others: Vec<KeyRecord> = records.iter().filter(|other| other.kid != kid).cloned().collect();
    let retirements = retirements(&others, key.algorithm, now, activates_at, policy);
    Some(Takeover { kid: key.kid.clone(), activates_at, retirements })
}

#[cfg(test)]
mod tests;
