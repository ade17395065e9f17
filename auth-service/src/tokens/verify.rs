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
}
