use super::Caller;
use crate::audit::Actor;
use crate::authority::Authority;
use crate::clients::ClientId;
use crate::error::{AccountFault, Error, Result};
use crate::storage::{BrowserSessionSummary, Consent, SessionsEnded};

impl Authority {
    /// The browsers in which the caller is logged in.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn browser_sessions_of(&self, caller: &Caller) -> Result<Vec<BrowserSessionSummary>> {
        self.browser_sessions_of_user(&caller.user_id)
    }

    /// Logs the caller out in one of their browsers, and at what they logged in to from there.
    ///
    /// # Errors
    /// `NotFound`, also for another user's; `Unavailable`.
    pub fn end_own_browser_session(&self, caller: &Caller, id: &str) -> Result<()> {
        let by = Actor::User(caller.user_id.clone());
        if self.end_browser_session_of_user(&caller.user_id, id, by, &caller.context)? {
            return Ok(());
        }
        Err(Error::new(AccountFault::NotFound, "no browser session of this account has this id"))
    }

    /// What the caller has allowed clients.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn consents_of(&self, caller: &Caller) -> Result<Vec<Consent>> {
        Ok(self.storage.consents(Some(&caller.user_id), None, self.now())?)
    }

    /// Withdraws what the caller has allowed a client, and ends its sessions.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub fn withdraw_own_consent(&self, caller: &Caller, client_id: &str) -> Result<()> {
        let none = || Error::new(AccountFault::NotFound, "this account has allowed that client nothing");
        let client_id = ClientId::parse(client_id).ok_or_else(none)?;
        let storage = self.storage.on_behalf_of(&caller.context);
        let by = Some(Actor::User(caller.user_id.clone()));
        let ended = storage.withdraw_consent(&caller.user_id, &client_id, by, self.browser_end())?;
        if ended.is_none() {
            return Err(none());
        }
        self.apply_ended(ended);
        Ok(())
    }

    /// What has ended in the database is refused here at once, and clients are notified.
    pub(in crate::authority) fn apply_ended(&self, ended: Option<SessionsEnded>) {
        let until = self.revoked_until(self.now());
        let revoked = ended.into_iter().flat_map(|ended| ended.revoked);
        revoked.for_each(|target| self.apply_revocation(&target, until));
        self.sync.feeds.wake_logout_notices();
    }
}
