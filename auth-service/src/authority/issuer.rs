use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Algorithm, KeyPolicy, Keys, Signer};
use crate::tokens::RefreshTokens;
use crate::webhook::ClaimsWebhook;

/// What issues tokens: the issuer's URL, the signing keys, the MAC key of refresh tokens.
pub struct Issuer {
    /// The `iss` of every token.
    pub url: String,
    pub keys: Keys,
    pub key_policy: KeyPolicy,
    /// Of audiences that have no algorithm of their own.
    pub default_algorithm: Algorithm,
    pub refresh_tokens: RefreshTokens,
    /// Asked for claims of a user, where one is set.
    pub webhook: Option<ClaimsWebhook>,
}

impl Issuer {
    /// The key that signs for an audience: of the audience's own algorithm if it has one, else of the default; while the
    /// first key of a new default waits for its lead, whichever signs.
    ///
    /// # Errors
    /// `Unavailable` when none is active.
    pub fn signer_of(&self, algorithm: Option<Algorithm>) -> Result<Arc<Signer>> {
        let ring = self.keys.ring();
        let signer = match algorithm {
            Some(algorithm) => ring.signer(algorithm),
            None => ring.signer(self.default_algorithm).or_else(|| ring.any_signer()),
        };
        signer.ok_or_else(|| Error::new(ErrorKind::Unavailable, "no key is active for this audience yet"))
    }
}
