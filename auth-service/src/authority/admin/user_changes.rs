use super::users::{check_roles, parse};
use super::{invalid, not_found, unless_taken};
use crate::authority::Authority;
use crate::authority::sign_in::ONE_TIME_PASSWORDS;
use crate::error::Result;
use crate::storage::{Enabled, UserChange, UserPage, UserSummary};
use crate::users::{Attempt, ClientIp};

impl Authority {
    /// Users by name, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn users_page(&self, page: &UserPage) -> Result<Vec<UserSummary>> {
        Ok(self.storage.users_page(page)?)
    }

    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn user_summary(&self, username: &str) -> Result<UserSummary> {
        let found = self.storage.user_summary(&parse(username)?)?;
        found.ok_or_else(|| not_found("user", username))
    }

    /// Changes the name, the address or the roles of a user.
    ///
    /// # Errors
    /// `Admin(Invalid)` for no change, or a role that violates a rule; `Admin(NotFound)`; `Admin(Taken)`; `Unavailable`.
    pub fn update_user(&self, username: &str, change: UserChange) -> Result<()> {
        if change.username.is_none() && change.email.is_none() && change.roles.is_none() {
            return Err(invalid("nothing to change"));
        }
        check_roles(change.roles.iter().flatten())?;
        let taken = || "another user has the new name, or one that looks like it".to_owned();
        let updated = self.storage.update_user(&parse(username)?, change, self.now());
        match updated.map_err(|error| unless_taken(error, taken))? {
            true => Ok(()),
            false => Err(not_found("user", username)),
        }
    }

    /// Disables a user and ends their sessions: how many.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn disable_user(&self, username: &str) -> Result<usize> {
        let now = self.now();
        let ended = self.storage.disable_user(&parse(username)?, now, self.revoked_until(now))?;
        ended.ok_or_else(|| not_found("user", username))
    }

    /// Enables a user. Sessions and tokens from before stay revoked.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn enable_user(&self, username: &str) -> Result<Enabled> {
        let enabled = self.storage.enable_user(&parse(username)?)?;
        enabled.ok_or_else(|| not_found("user", username))
    }

    /// Deletes a user with everything that names them, and revokes their tokens: how many sessions ended.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn delete_user(&self, username: &str) -> Result<usize> {
        let now = self.now();
        let ended = self.storage.delete_user(&parse(username)?, now, self.revoked_until(now))?;
        ended.ok_or_else(|| not_found("user", username))
    }

    /// Lets a user try to log in at once, who has failed too often: how many counts of failures were deleted. With a
    /// client IP also those of its network.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn unlock_user(&self, username: &str, client_ip: Option<ClientIp>) -> Result<usize> {
        let name = parse(username)?;
        let user = self.storage.find_user(&name)?.ok_or_else(|| not_found("user", username))?;
        let count_key = &self.sign_in.count_key;
        let attempts = [
            Attempt::new(count_key, &self.sign_in.attempt_policy, name.key(), client_ip),
            Attempt::new(count_key, &ONE_TIME_PASSWORDS, &user.id, None),
        ];
        Ok(self.storage.forget_failures(&user.id, &attempts)?)
    }

    /// Removes the second factor of a user who has lost it. `Ok(false)` when they had none.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn remove_user_second_factor(&self, username: &str) -> Result<bool> {
        let user = self.storage.find_user(&parse(username)?)?;
        let user = user.ok_or_else(|| not_found("user", username))?;
        Ok(self.storage.remove_second_factor(&user.id)?)
    }
}
