//! Making the keys that are needed, due or asked for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Algorithm, KeyPolicy, KeyRecord, KeyState, SigningKey, needed_key, rotation_due, successor};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::StorageError;

/// Verifiers refuse a key set of more than 50; a rotation by hand stops before.
const MOST_PUBLIC_KEYS: usize = 40;

/// Why a key is added: what is checked again under the database's lock.
#[derive(Debug, Clone, Copy)]
pub enum KeyReason {
    Needed { asked: bool },
    Scheduled,
    ByHand,
}

impl Authority {
    /// Puts the ring into the state of the database.
    ///
    /// # Errors
    /// `Unavailable`, or `Internal` for a key that cannot be used; the ring stays as it was.
    pub(crate) fn reload_keys(&self, now: Timestamp) -> Result<()> {
        // The counter first: what the records hold is never older than what they are called.
        let position = self.storage.change_counters()?.keys_position();
        self.keys
            .rebuild(self.storage.all_keys()?, position, now)
            .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    /// Makes the keys that are needed or due. Every replica looks; the database lets one act.
    pub(crate) fn tend_keys(&self, now: Timestamp) -> Result<()> {
        let by_audience = self.clients.algorithms();
        for algorithm in Algorithm::ALL {
            let asked = by_audience.contains(&algorithm);
            if algorithm != self.default_algorithm && !asked {
                continue;
            }
            let ring = self.keys.ring();
            if let Some(activates_at) = needed_key(&ring.records, (algorithm, asked), now, &self.key_policy) {
                self.add_key(&generate(algorithm)?, (now, activates_at), KeyReason::Needed { asked })?;
            } else if rotation_due(&ring.records, algorithm, now, &self.key_policy) {
                let activates_at = now.plus(self.key_policy.publish_lead);
                self.add_key(&generate(algorithm)?, (now, activates_at), KeyReason::Scheduled)?;
            }
        }
        Ok(())
    }

    /// The policy with the longest life that a token was ever issued with here: a key stays published until its last
    /// token has expired, also one that was issued before a setting was lowered.
    fn retirement_policy(&self) -> KeyPolicy {
        let issued = Duration::from_millis(self.longest_token.load(Ordering::Relaxed));
        KeyPolicy { longest_token: issued.max(self.key_policy.longest_token), ..self.key_policy }
    }

    /// Adds a key that signs from `activates_at` on, unless another replica has done so meanwhile.
    /// Returns its `kid`, or `None` when there was nothing to do any more.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` for a key that is there already.
    pub fn add_key(
        &self,
        key: &SigningKey,
        (now, activates_at): (Timestamp, Timestamp),
        reason: KeyReason,
    ) -> Result<Option<String>> {
        let public = self.keys.ring().records.iter().filter(|key| key.state(now).is_public()).count();
        if public >= MOST_PUBLIC_KEYS {
            let hint = "as many keys are published as verifiers take: wait until old ones are removed";
            return Err(Error::invalid_request(hint));
        }
        let internal = |cause: String| Error::new(ErrorKind::Internal, cause);
        let record = self.keys.record(key, now, activates_at).map_err(|error| internal(error.to_string()))?;
        let (kid, algorithm, policy) = (record.kid.clone(), record.algorithm, self.retirement_policy());
        let added = self.storage.add_key(move |records| {
            let wanted = match reason {
                KeyReason::Needed { asked } => {
                    needed_key(records, (algorithm, asked), now, &policy).is_some()
                }
                KeyReason::Scheduled => rotation_due(records, algorithm, now, &policy),
                KeyReason::ByHand => true,
            };
            wanted.then(|| (record, successor(records, algorithm, (now, activates_at), &policy)))
        });
        match added {
            Ok(added) => {
                // Also when another replica was quicker: its key is the one that is needed here.
                self.reload_keys(now)?;
                if added {
                    tracing::info!(kid, %algorithm, activates_in_s = activates_at.distance(now).as_secs(), "key added");
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

impl Authority {
    /// Lets a published key sign now instead of later.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` for a key that is not waiting.
    pub fn bring_key_forward(&self, kid: &str, now: Timestamp) -> Result<()> {
        let (policy, wanted) = (self.retirement_policy(), kid.to_owned());
        let plan = move |records: &[KeyRecord]| {
            let key = records.iter().find(|key| key.kid == wanted)?;
            match key.state(now) {
                KeyState::Published { .. } => {}
                // Its lead ended while somebody waited.
                KeyState::Active { .. } => return Some(Vec::new()),
                _ => return None,
            }
            let others: Vec<KeyRecord> = records.iter().filter(|key| key.kid != wanted).cloned().collect();
            Some(successor(&others, key.algorithm, (now, now), &policy))
        };
        if !self.storage.bring_key_forward(kid, now, plan)? {
            return Err(Error::invalid_request("the key is not waiting to sign"));
        }
        self.reload_keys(now)
    }
}

fn generate(algorithm: Algorithm) -> Result<SigningKey> {
    SigningKey::generate(algorithm).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
}
