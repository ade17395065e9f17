use crate::authority::Authority;
use crate::clients::{Encryption, TokenForm};
use crate::error::{Error, ErrorKind, Result};

impl Authority {
    /// Whether an access token could be issued now, for what is good once.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(in crate::authority) fn check_can_issue_for(&self, audience: &str) -> Result<()> {
        let TokenForm { algorithm, encryption, .. } = self.clients.token_form(audience);
        self.issuer.signer_of(algorithm)?;
        if matches!(encryption, Encryption::Unusable) { Err(unusable(audience)) } else { Ok(()) }
    }
}

pub(super) fn unusable(audience: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the encryption key of {audience} is unusable"))
}
