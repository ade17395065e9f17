use super::clients::check_login;
use super::{invalid, not_found};
use crate::authority::Authority;
use crate::clients::{Client, ClientChange, ClientId, issues_id_tokens};
use crate::error::Result;
use crate::storage::{ClientEnd, Enabled};

impl Authority {
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn registered_client(&self, id: &ClientId) -> Result<Client> {
        let found = self.storage.all_clients()?.into_iter().find(|client| client.id == *id);
        found.ok_or_else(|| not_found("client", id.as_str()))
    }

    /// Changes scope, audiences, grant types or origins of a client. Tokens that it has keep theirs.
    ///
    /// # Errors
    /// `Admin(Invalid)` for no change; `Admin(NotFound)`, also for an audience that is not registered; `Unavailable`.
    pub fn update_client(&self, id: &ClientId, change: ClientChange) -> Result<()> {
        if change.is_empty() {
            return Err(invalid("nothing to change"));
        }
        self.check_registered(change.audiences.iter().chain(&change.introspects).flatten())?;
        let client = self.registered_client(id)?;
        let grants = change.grants.as_ref().unwrap_or(&client.grants);
        let login = change.login.clone().applied_to(client.login.clone());
        check_login(&login, grants, client.is_public())?;
        if let Some(method) = &change.method {
            if client.is_public() {
                return Err(invalid(format!("client {id} is public: it has nothing to prove itself with")));
            }
            self.check_method(method)?;
        }
        if issues_id_tokens(change.scope.as_ref().unwrap_or(&client.scope), grants) {
            self.prepare_keys_for(login.id_token_algorithm)?;
        }
        match self.storage.update_client(id, change)? {
            true => Ok(()),
            false => Err(not_found("client", id.as_str())),
        }
    }

    /// Disables a client, ends its sessions and revokes its tokens: how many sessions ended.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn disable_client(&self, id: &ClientId) -> Result<usize> {
        let ended = self.storage.disable_client(id, self.client_end())?;
        ended.ok_or_else(|| not_found("client", id.as_str()))
    }

    /// Enables a client. Sessions and tokens from before stay revoked.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn enable_client(&self, id: &ClientId) -> Result<Enabled> {
        self.storage.enable_client(id)?.ok_or_else(|| not_found("client", id.as_str()))
    }

    /// Deletes a client, ends its sessions and revokes its tokens: how many sessions ended.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn delete_client(&self, id: &ClientId) -> Result<usize> {
        let ended = self.storage.delete_client(id, self.client_end())?;
        ended.ok_or_else(|| not_found("client", id.as_str()))
    }

    fn client_end(&self) -> ClientEnd {
        let now = self.now();
        // A replica without the database may issue its tokens for so long; its setting may be another one than that of
        // this process, so the longest life of a token is a margin.
        let last_issued = now.plus(self.policy.offline_issuing);
        ClientEnd { now, revoked_until: self.revoked_until(last_issued) }
    }
}
