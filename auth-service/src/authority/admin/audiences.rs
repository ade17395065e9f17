use super::{invalid, not_found, unless_taken};
use crate::authority::Authority;
use crate::clients::{Audience, AudienceChange};
use crate::error::{AdminFault, Error, Result};
use crate::storage::{AudienceDeleted, StorageError};

impl Authority {
    /// Registers an audience, and creates the first key of its algorithm.
    ///
    /// # Errors
    /// `Admin(Invalid)` for a name that cannot be one; `Admin(Taken)`; `Unavailable`.
    pub fn create_audience(&self, audience: &Audience) -> Result<()> {
        let name = audience.name.as_str();
        let legal = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if name.is_empty() || name.len() > 255 || !legal {
            let rule = "an audience has 1 to 255 visible ASCII characters and no # (RFC 8707 section 2)";
            return Err(invalid(rule));
        }
        audience.algorithm.map_or(Ok(()), |algorithm| self.prepare_keys_for(algorithm))?;
        self.storage
            .create_audience(audience, self.now())
            .map_err(|error| unless_taken(error, || format!("audience {name:?} already exists")))?;
        self.sync.wake();
        Ok(())
    }

    /// Changes the public encryption key of an audience, a JWKS that was checked; `None` for plain tokens.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn set_audience_encryption(&self, name: &str, jwks: Option<String>) -> Result<()> {
        if !self.storage.set_audience_encryption(name, jwks)? {
            return Err(not_found("audience", name));
        }
        Ok(())
    }

    /// Changes the algorithm or the token type of an audience. Tokens that it has stay valid.
    ///
    /// # Errors
    /// `Admin(Invalid)` for no change; `Admin(NotFound)`; `Unavailable`.
    pub fn update_audience(&self, name: &str, change: AudienceChange) -> Result<()> {
        if change.algorithm.is_none() && change.token_type.is_none() {
            return Err(invalid("nothing to change"));
        }
        self.registered_audience(name)?;
        change.algorithm.map_or(Ok(()), |algorithm| self.prepare_keys_for(algorithm))?;
        match self.storage.update_audience(name, change)? {
            true => Ok(()),
            false => Err(not_found("audience", name)),
        }
    }

    /// Deletes an audience. The authority no longer accepts tokens for it; other verifiers do until they expire.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Admin(InUse)` with the clients or sessions that use it, and for the audience of simplejwt;
    /// `Unavailable`.
    pub fn delete_audience(&self, name: &str) -> Result<()> {
        if self.simplejwt.first_party.audiences.iter().any(|own| own == name) {
            let cause = format!("audience {name:?} is that of the simplejwt endpoints (simplejwt.audience)");
            return Err(Error::new(AdminFault::InUse, cause));
        }
        match self.storage.delete_audience(name, self.now())? {
            AudienceDeleted::Done => Ok(()),
            AudienceDeleted::Unknown => Err(not_found("audience", name)),
            AudienceDeleted::HasSessions => {
                let cause =
                    format!("audience {name:?} has live sessions: end them, or wait until they expire");
                Err(Error::new(AdminFault::InUse, cause))
            }
            AudienceDeleted::UsedBy(clients) => {
                let cause = format!("audience {name:?} is used by the clients {}", clients.join(", "));
                Err(Error::new(AdminFault::InUse, cause))
            }
        }
    }

    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn registered_audience(&self, name: &str) -> Result<Audience> {
        let found = self.storage.all_audiences()?.into_iter().find(|audience| audience.name == name);
        found.ok_or_else(|| not_found("audience", name))
    }

    /// The registered audiences, by name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn registered_audiences(&self) -> Result<Vec<Audience>> {
        Ok(self.storage.all_audiences()?)
    }

    /// Registers the audience of the first-party tokens, so that it can be given an algorithm of its own.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn register_default_audience(&self) -> Result<()> {
        for audience in &self.simplejwt.first_party.audiences {
            match self.storage.create_audience(&Audience::named(audience), self.now()) {
                Ok(()) | Err(StorageError::Taken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
