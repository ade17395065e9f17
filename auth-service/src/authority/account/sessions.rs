use uuid::Uuid;

use super::Caller;
use crate::authority::Authority;
use crate::error::{AccountFault, Error, Result};
use crate::revocations::RevocationTarget;
use crate::storage::SessionSeen;

impl Authority {
    /// The sessions of the caller's account that are alive, the newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn sessions_of(&self, caller: &Caller) -> Result<Vec<SessionSeen>> {
        Ok(self.storage.live_sessions(&caller.user_id, self.now())?)
    }

    /// Ends one of the caller's own sessions, with its access tokens.
    ///
    /// # Errors
    /// `NotFound`, also for another user's; `Unavailable`.
    pub fn end_own_session(&self, caller: &Caller, id: &str) -> Result<()> {
        let none = || Error::new(AccountFault::NotFound, "no live session of this account has this id");
        // What is no id is not asked of the database.
        let id = Uuid::try_parse(id).map_err(|_| none())?.to_string();
        let own = self.storage.find_session(&id)?.filter(|session| session.user_id == caller.user_id);
        let own = own.filter(|session| session.ended.is_none());
        let own = own.ok_or_else(none)?;
        let now = self.now();
        let until = self.revoked_until(now);
        self.storage.on_behalf_of(&caller.context).end_session(&own.id, now, until)?;
        self.apply_revocation(&RevocationTarget::Session(own.id), until);
        Ok(())
    }

    /// Ends every session of the caller's account but the one that asks; says how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn end_other_sessions(&self, caller: &Caller) -> Result<usize> {
        let now = self.now();
        let until = self.revoked_until(now);
        let storage = self.storage.on_behalf_of(&caller.context);
        let ended = storage.end_other_sessions(&caller.user_id, &caller.session_id, now, until)?;
        ended.revoked.iter().for_each(|target| self.apply_revocation(target, until));
        Ok(ended.count)
    }
}
