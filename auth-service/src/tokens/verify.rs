use super::known::KnownToken;
use crate::authority::Authority;
use crate::error::Result;

impl Authority {
    /// Whether a token of either kind was issued here and still holds: simplejwt's verify endpoint
    /// and `TokenService.Verify`. For people and diagnosis; services verify by themselves.
    ///
    /// # Errors
    /// `Token` with the fault, or `Unavailable`.
    pub fn verify_token(&self, unverified_token: &str) -> Result<()> {
        let now = self.now();
        let token = self.read_token(unverified_token, now)?;
        self.check_holds(&token, now)
    }

    /// The same for what needs no database: everything but a refresh token.
    #[must_use]
    pub fn verify_from_memory(&self, unverified_token: &str) -> Option<Result<()>> {
        let now = self.now();
        match self.read_token(unverified_token, now) {
            Ok(KnownToken::Refresh(_)) => None,
            Ok(KnownToken::Access(_)) if !self.is_fresh() => None,
            Ok(token) => Some(self.check_holds(&token, now)),
            Err(fault) => Some(Err(fault.into())),
        }
    }
}
