use super::{invalid, not_found, unless_taken};
use crate::authority::Authority;
use crate::clients::Audience;
use crate::error::Result;
use crate::storage::StorageError;

impl Authority {
    /// Registers an audience. The next look at the database creates the first key of its algorithm.
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
