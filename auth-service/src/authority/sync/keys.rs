//! Creating and scheduling the keys that are needed, due, or asked for by an operator.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::authority::Authority;
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{
    Algorithm, KeyDemand, KeyPolicy, KeyRecord, KeyStep, SigningKey, Takeover, UNSCHEDULED, has_room,
    next_step, retirements, takeover,
};
use crate::storage::StorageError;

/// What is checked again under the database's lock before a key is added.
#[derive(Debug, Clone, Copy)]
pub(in crate::authority) enum KeyReason {
    /// The step is still due: no other replica has done it.
    Due(KeyDemand),
    Operator,
}

impl Authority {
    /// Puts the ring into the state of the database.
    ///
    /// # Errors
    /// `Unavailable`, or `Internal` for a key that cannot be used; the ring stays as it was.
    pub(crate) fn reload_keys(&self, now: Timestamp) -> Result<()> {
        // The counter first: what the records hold is never older than what they are called.
        let position = self.storage.change_counters()?.keys_position();
        self.issuer
            .keys
            .rebuild(self.storage.all_keys()?, position, now)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    /// Takes the steps that the keys need. Every replica tries; the database lets one act.
    pub(crate) fn maintain_keys(&self, now: Timestamp) -> Result<()> {
        let by_audience = self.clients.algorithms();
        for algorithm in Algorithm::ALL {
            let demand = KeyDemand { algorithm, by_audience: by_audience.contains(&algorithm) };
            if algorithm != self.issuer.default_algorithm && !demand.by_audience {
                continue;
            }
            self.maintain_keys_of(demand, now)?;
        }
        Ok(())
    }

    /// Those of a client or an audience that is about to be registered: a replica that knows it finds a key.
    pub(in crate::authority) fn prepare_keys_for(&self, algorithm: Algorithm) -> Result<()> {
        self.maintain_keys_of(KeyDemand { algorithm, by_audience: true }, self.now())
    }

    fn maintain_keys_of(&self, demand: KeyDemand, now: Timestamp) -> Result<()> {
        // At most a key that signs, its successor, and a standby key.
        for _ in 0..3 {
            let ring = self.issuer.keys.ring();
            let records = usable(&ring.records, &ring.unusable);
            let Some(step) = next_step(&records, demand, now, &self.issuer.key_policy) else { break };
            self.take_step(step, demand, now)?;
        }
        Ok(())
    }

    fn take_step(&self, step: KeyStep, demand: KeyDemand, now: Timestamp) -> Result<()> {
        match step {
            KeyStep::Create { activates_at } => {
                self.add_key(&generate(demand.algorithm)?, now, activates_at, KeyReason::Due(demand))?;
            }
            KeyStep::Schedule { kid, activates_at } => {
                // As for a new key: a replica whose clock is behind must see a key that signs at once.
                let activates_at =
                    if activates_at <= now { now.minus(CLOCK_DIFFERENCE) } else { activates_at };
                let policy = self.retirement_policy();
                self.schedule_key(now, move |records| {
                    let still_due = next_step(records, demand, now, &policy);
                    matches!(still_due, Some(KeyStep::Schedule { .. }))
                        .then(|| takeover(records, &kid, now, activates_at, &policy))?
                })?;
            }
        }
        Ok(())
    }

    /// The policy with the longest life that a token was ever issued with here: a key stays published until its last
    /// token has expired, also one that was issued before a setting was lowered.
    pub(in crate::authority) fn retirement_policy(&self) -> KeyPolicy {
        let issued = Duration::from_millis(self.sync.longest_token.load(Ordering::Relaxed));
        KeyPolicy {
            longest_token: issued.max(self.issuer.key_policy.longest_token),
            ..self.issuer.key_policy
        }
    }

    pub(in crate::authority) fn schedule_key(
        &self,
        now: Timestamp,
        plan: impl FnOnce(&[KeyRecord]) -> Option<Takeover> + Send + 'static,
    ) -> Result<Option<Takeover>> {
        let unusable = self.issuer.keys.ring().unusable.clone();
        let scheduled = self.storage.schedule_key(move |records| plan(&usable(records, &unusable)))?;
        // Also when another replica was quicker: its step is the one that was needed here.
        self.reload_keys(now)?;
        if let Some(Takeover { kid, activates_at, .. }) = &scheduled {
            tracing::info!(kid, activates_in_s = seconds_until(*activates_at, now), "key scheduled");
        }
        Ok(scheduled)
    }

    /// Adds a key, unless another replica has done so meanwhile.
    /// Returns its `kid`, or `None` when there was nothing to do any more.
    pub(in crate::authority) fn add_key(
        &self,
        key: &SigningKey,
        now: Timestamp,
        activates_at: Timestamp,
        reason: KeyReason,
    ) -> Result<Option<String>> {
        if !has_room(&self.issuer.keys.ring().records, now) {
            let hint = "as many keys are published as verifiers take: wait until old ones are removed";
            return Err(Error::invalid_request(hint));
        }
        let record = self.issuer.keys.record(key, now, activates_at);
        let record = record.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let (kid, algorithm, policy) = (record.kid.clone(), record.algorithm, self.retirement_policy());
        let unusable = self.issuer.keys.ring().unusable.clone();
        let added = self.storage.add_key(move |records| {
            let records = &usable(records, &unusable);
            let wanted = match reason {
                KeyReason::Due(demand) => {
                    next_step(records, demand, now, &policy) == Some(KeyStep::Create { activates_at })
                }
                KeyReason::Operator => true,
            };
            wanted.then(|| (record, retirements(records, algorithm, now, activates_at, &policy)))
        });
        match added {
            Ok(added) => {
                self.reload_keys(now)?;
                if added {
                    let activates_in_s = seconds_until(activates_at, now);
                    tracing::info!(kid, %algorithm, activates_in_s, "key added");
                }
                Ok(added.then_some(kid))
            }
            Err(StorageError::Taken) => Err(Error::new(
                ErrorKind::InvalidRequest("the key is in the ring already"),
                "key imported twice",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

/// Without the keys that cannot be opened.
pub(in crate::authority) fn usable(records: &[KeyRecord], unusable: &HashSet<String>) -> Vec<KeyRecord> {
    records.iter().filter(|key| !unusable.contains(&key.kid)).cloned().collect()
}

/// `None` for a key that nothing is scheduled for.
fn seconds_until(activates_at: Timestamp, now: Timestamp) -> Option<u64> {
    let waits = activates_at != UNSCHEDULED;
    waits.then(|| if activates_at <= now { 0 } else { activates_at.distance(now).as_secs() })
}

pub(in crate::authority) fn generate(algorithm: Algorithm) -> Result<SigningKey> {
    SigningKey::generate(algorithm).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}
