use super::{Caller, SecondFactorState};
use crate::authority::Authority;
use crate::error::Result;
use crate::users::User;

/// An account as its owner sees it.
pub struct OwnAccount {
    pub user: User,
    pub email: Option<String>,
    pub email_verified: bool,
    pub second_factor: SecondFactorState,
}

impl Authority {
    /// What the caller may see of their own account.
    ///
    /// # Errors
    /// `AccountInactive`; `Unavailable`.
    pub fn own_account(&self, caller: &Caller) -> Result<OwnAccount> {
        let user = self.user_of(caller)?;
        let (email, verified_at) = self.storage.email_and_proof(&user.id)?;
        let second_factor = self.second_factor_state(&user.id)?;
        Ok(OwnAccount { user, email, email_verified: verified_at.is_some(), second_factor })
    }
}
