use std::time::Duration;

use super::{not_found, taken, unless_taken};
use crate::authority::Authority;
use crate::clients::{Client, ClientId, NewClient};
use crate::error::{AdminFault, Error, Result};
use crate::secret::{HashedSecret, PlainSecret};

impl Authority {
    /// Registers a client. Returns its secret, which is shown once.
    ///
    /// # Errors
    /// `Admin(Taken)`, also for the name of the client behind simplejwt's endpoints; `Admin(NotFound)` for an audience
    /// that is not registered; `Unavailable`.
    pub fn create_client(&self, new: &NewClient) -> Result<PlainSecret> {
        self.check_registered(new.audiences.iter().chain(&new.introspects))?;
        if new.id == self.simplejwt.first_party.id {
            return Err(taken(format!(
                "{} is the name of the client behind the simplejwt endpoints",
                new.id
            )));
        }
        let secret = PlainSecret::generate()?;
        let created = self.storage.create_client(new, &HashedSecret::of(&secret), self.now());
        created.map_err(|error| unless_taken(error, || format!("client {} already exists", new.id)))?;
        Ok(secret)
    }

    /// Gives a client a new secret, which is shown once; the old one stays valid for `overlap`.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn renew_client_secret(&self, id: &ClientId, overlap: Duration) -> Result<PlainSecret> {
        let secret = PlainSecret::generate()?;
        let old_until = self.now().plus(overlap);
        if !self.storage.set_client_secret(id, &HashedSecret::of(&secret), old_until)? {
            return Err(not_found("client", id.as_str()));
        }
        Ok(secret)
    }

    /// The registered clients, by name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn registered_clients(&self) -> Result<Vec<Client>> {
        Ok(self.storage.all_clients()?)
    }

    pub(super) fn check_registered<'a>(&self, mut audiences: impl Iterator<Item = &'a String>) -> Result<()> {
        let registered = self.storage.all_audiences()?;
        let is_registered = |name: &String| registered.iter().any(|audience| audience.name == *name);
        let Some(unknown) = audiences.find(|audience| !is_registered(audience)) else { return Ok(()) };
        let advice = format!("create it with `auth-service audience create {unknown}`");
        Err(Error::new(AdminFault::NotFound, format!("audience {unknown:?} not found: {advice}")))
    }
}
