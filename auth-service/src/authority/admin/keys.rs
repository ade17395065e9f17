//! What operators do with signing keys: import, rotate, activate early, revoke.

use crate::authority::Authority;
use crate::authority::sync::{KeyReason, generate, usable};
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{
    Algorithm, KeyDemand, KeyRecord, KeyState, KeyStep, SigningKey, next_step, successor_candidate, takeover,
};

impl Authority {
    /// Adds an operator's own key, which signs after the publish lead. Returns its `kid` and when it signs.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` for a key that is there already, or when no more can be published.
    pub fn import_key(&self, key: &SigningKey, now: Timestamp) -> Result<(String, Timestamp)> {
        let activates_at = now.plus(self.issuer.key_policy.publish_lead);
        let kid = self.add_key(key, now, activates_at, KeyReason::Operator)?;
        kid.map(|kid| (kid, activates_at))
            .ok_or_else(|| Error::new(ErrorKind::Internal, "an operator's key was not added"))
    }

    /// Schedules the key that takes over next: the one that is scheduled already, or the standby key after the publish
    /// lead, or a new one where there is none; for a rotation `at_once` the one that was published first. Returns its
    /// `kid` and when it signs.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` when no more can be published.
    pub fn rotate_key(
        &self,
        algorithm: Algorithm,
        at_once: bool,
        now: Timestamp,
    ) -> Result<(String, Timestamp)> {
        let activates_at = now.plus(self.issuer.key_policy.publish_lead);
        // The key that `activate_key` can let sign at once, after the verifiers were waited for.
        let wanted_at = if at_once { now } else { activates_at };
        let policy = self.retirement_policy();
        let scheduled = self.schedule_key(now, move |records| {
            let waiting = successor_candidate(records, algorithm, now, wanted_at)?;
            takeover(records, &waiting.kid, now, activates_at, &policy)
        })?;
        let next = match scheduled {
            Some(takeover) => (takeover.kid, takeover.activates_at),
            None => self.import_key(&generate(algorithm)?, now)?,
        };
        self.maintain_keys(now)?;
        Ok(next)
    }

    /// Lets a published key sign now instead of later.
    ///
    /// # Errors
    /// `Unavailable`; `InvalidRequest` for a key that is not waiting.
    pub fn activate_key(&self, kid: &str, now: Timestamp) -> Result<()> {
        let (policy, wanted) = (self.retirement_policy(), kid.to_owned());
        let activated =
            self.schedule_key(now, move |records| takeover(records, &wanted, now, now, &policy))?;
        let ring = self.issuer.keys.ring();
        let signs = |key: &KeyRecord| key.kid == kid && matches!(key.state(now), KeyState::Active { .. });
        // Its lead may have ended while the operator waited.
        if activated.is_none() && !ring.records.iter().any(signs) {
            return Err(Error::invalid_request("the key is not waiting to sign"));
        }
        Ok(())
    }

    /// Revokes a key. If it was the only one that signed, the standby key takes its place in the same transaction: there
    /// is no moment without a key that signs. `Ok(false)` when there is no such key, or it was revoked before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn revoke_key(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let (default, by_audience) = (self.issuer.default_algorithm, self.clients.algorithms());
        let (policy, unusable) = (self.retirement_policy(), self.issuer.keys.ring().unusable.clone());
        let wanted = kid.to_owned();
        let revoked = self.storage.revoke_key(kid, now, move |records| {
            let algorithm = records.iter().find(|key| key.kid == wanted)?.algorithm;
            let demand = KeyDemand { algorithm, by_audience: by_audience.contains(&algorithm) };
            if algorithm != default && !demand.by_audience {
                return None;
            }
            let records = usable(records, &unusable);
            match next_step(&records, demand, now, &policy)? {
                KeyStep::Schedule { kid, activates_at } if activates_at <= now => {
                    takeover(&records, &kid, now, now.minus(CLOCK_DIFFERENCE), &policy)
                }
                KeyStep::Schedule { .. } | KeyStep::Create { .. } => None,
            }
        })?;
        self.reload_keys(now)?;
        self.maintain_keys(now)?;
        Ok(revoked)
    }
}
