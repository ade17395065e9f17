use super::read::ValidatedToken;
use crate::authority::Authority;
use crate::error::Result;

impl Authority {
    /// Whether a token of either kind was issued here and still holds: simplejwt's verify endpoint
    /// and `TokenService.Verify`. For users and diagnosis; services verify by themselves.
    ///
    /// # Errors
    /// `Token` with the fault, or `Unavailable`.
    pub fn verify_token(&self, unverified_token: &str) -> Result<()> {
        let now = self.now();
        if let Some(legacy) = self.legacy_of(&self.simplejwt.first_party, unverified_token) {
            return self.check_legacy_holds(legacy, &self.read_legacy_token(unverified_token)?);
        }
        let token = self.read_token(unverified_token, now)?;
        self.check_holds(&token, now)
    }

    /// The same for what needs no database: everything but a refresh token.
    #[must_use]
    pub fn verify_from_memory(&self, unverified_token: &str) -> Option<Result<()>> {
        if self.legacy_of(&self.simplejwt.first_party, unverified_token).is_some() {
            return None;
        }
        let now = self.now();
        match self.read_token(unverified_token, now) {
            Ok(ValidatedToken::Refresh(_)) => None,
            Ok(ValidatedToken::Access(_)) if !self.is_fresh() => None,
            Ok(token) => Some(self.check_holds(&token, now)),
            Err(fault) => Some(Err(fault.into())),
        }
    }
}
