use super::{invalid, not_found};
use crate::authority::Authority;
use crate::clients::{ClientId, ExchangeRule};
use crate::error::Result;

impl Authority {
    /// Lets a client exchange tokens (RFC 8693). A rule for the same audiences takes the new scope.
    ///
    /// # Errors
    /// `Admin(NotFound)` for a client or an audience that is not registered; `Admin(Invalid)` for a public client, or one audience for
    /// both; `Unavailable`.
    pub fn allow_exchange(&self, rule: &ExchangeRule) -> Result<()> {
        let client = self.registered_client(&rule.client_id)?;
        if client.is_public() {
            return Err(invalid(format!("client {} is public: anybody can say that they are it", client.id)));
        }
        if rule.from == rule.to {
            return Err(invalid("a token for an audience is good there as it is"));
        }
        self.check_registered([&rule.from, &rule.to].into_iter())?;
        Ok(self.storage.allow_exchange(rule, self.now())?)
    }

    /// Tokens that were exchanged before go on until they expire.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn deny_exchange(&self, client: &ClientId, from: &str, to: &str) -> Result<()> {
        match self.storage.deny_exchange(client, from, to)? {
            true => Ok(()),
            false => Err(not_found("exchange rule", &format!("{client} from {from} to {to}"))),
        }
    }

    /// By client and audiences.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn exchange_rules(&self) -> Result<Vec<ExchangeRule>> {
        Ok(self.storage.all_exchange_rules()?)
    }
}
