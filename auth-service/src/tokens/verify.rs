use super::validated::ValidatedToken;
use crate::authority::Authority;
use crate::error::{Result, TokenFault};
use crate::tokens::{LegacyClaims, LegacyKind, LegacyTokens};

impl Authority {
    /// Whether a token of either kind was issued here and still holds: simplejwt's verify endpoint
    /// and `TokenService.Verify`. For users and diagnosis; services verify by themselves.
    ///
    /// # Errors
    /// `Token` with the fault, or `Unavailable`.
    pub fn verify_token(&self, unverified_token: &str) -> Result<()> {
        let now = self.now();
        if let Some(legacy) = self.legacy_of(&self.first_party, unverified_token) {
            return self.check_legacy_holds(legacy, &self.read_legacy_token(unverified_token)?);
        }
        let token = self.read_token(unverified_token, now)?;
        self.check_holds(&token, now)
    }

    /// A token of the old system holds as long as it may still be exchanged; an access token until its end.
    fn check_legacy_holds(&self, legacy: &LegacyTokens, claims: &LegacyClaims) -> Result<()> {
        let exchanged = matches!(claims.kind, Some(LegacyKind::Refresh | LegacyKind::Sliding));
        if !exchanged || !self.storage.legacy_token_is_spent(&claims.jti)? {
            return Ok(());
        }
        let session = self.storage.find_session(&legacy.session_id(&claims.jti))?;
        // Where tokens are not rotated it goes on in its session.
        let goes_on = !self.simplejwt.rotate || claims.kind == Some(LegacyKind::Sliding);
        let alive = session.is_some_and(|session| session.ended.is_none() && session.expires_at > self.now());
        if goes_on && alive { Ok(()) } else { Err(TokenFault::Revoked.into()) }
    }

    /// The same for what needs no database: everything but a refresh token.
    #[must_use]
    pub fn verify_from_memory(&self, unverified_token: &str) -> Option<Result<()>> {
        if self.legacy_of(&self.first_party, unverified_token).is_some() {
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
