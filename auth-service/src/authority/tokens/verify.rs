use super::read::{ValidatedToken, check_borne};
use crate::authority::{Authority, Step};
use crate::error::Result;

impl Authority {
    /// Whether a token of either kind was issued here and still holds: simplejwt's verify endpoint
    /// and `TokenService.Verify`. For users and diagnosis; services verify by themselves. Only a refresh token needs the
    /// database, and one of the previous issuer.
    ///
    /// # Errors
    /// `Token` with the fault, or `Unavailable`.
    pub fn verify_token(&self, unverified_token: String) -> Result<Step<()>> {
        if self.legacy_of(&self.simplejwt.first_party, &unverified_token).is_some() {
            return Ok(Step::blocks(move |authority| authority.verify_legacy_token(&unverified_token)));
        }
        let now = self.now();
        let token = self.read_token(&unverified_token, now)?;
        if let ValidatedToken::Access(claims) = &token {
            // The answer has no room to say that more has to be shown.
            check_borne(claims)?;
        }
        match token {
            token @ ValidatedToken::Access(_) if self.is_fresh() => {
                self.check_holds(&token, now).map(Step::Done)
            }
            token @ (ValidatedToken::Access(_) | ValidatedToken::Refresh(_)) => {
                Ok(Step::blocks(move |authority| authority.check_holds(&token, authority.now())))
            }
        }
    }
}
