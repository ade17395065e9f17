use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{MissingPart, Result, TokenFault};
use crate::revocations::RevocationTarget;
use crate::sessions::Evaluation;
use crate::tokens::{LegacyClaims, LegacyKind, LegacyTokens};

impl Authority {
    /// simplejwt's blacklist endpoint: ends the session of a first-party refresh token.
    ///
    /// # Errors
    /// `Token` with the fault, `Revoked` when it was blacklisted or used before; `Unavailable`.
    pub fn blacklist(&self, unverified_token: &str, context: &RequestContext) -> Result<()> {
        let now = self.now();
        if let Some(legacy) = self.legacy_of(&self.simplejwt.first_party, unverified_token) {
            let claims = self.read_legacy_token(unverified_token)?;
            return self.blacklist_legacy(legacy, &claims, context);
        }
        let claims = self.read_refresh_token(unverified_token, now)?;
        let session = self.storage.find_session(&claims.session_id)?.ok_or(TokenFault::Invalid)?;
        match session.evaluate(&self.presented(&claims, &self.simplejwt.first_party.id, now)) {
            Evaluation::NotYours => return Err(TokenFault::Invalid.into()),
            Evaluation::Expired => return Err(TokenFault::Expired.into()),
            Evaluation::Ended => return Err(TokenFault::Revoked.into()),
            // Anyone who holds any token of the family may end it: nothing is gained by waiting.
            Evaluation::Current | Evaluation::Repeated | Evaluation::Reused => {}
        }
        self.end_session(&session.id, now, context)
    }

    /// A refresh token of the old system, and the session that it was exchanged for.
    fn blacklist_legacy(
        &self,
        legacy: &LegacyTokens,
        claims: &LegacyClaims,
        context: &RequestContext,
    ) -> Result<()> {
        match claims.kind {
            Some(LegacyKind::Refresh) => {}
            Some(_) => return Err(TokenFault::WrongType.into()),
            None => return Err(TokenFault::Missing(MissingPart::Type).into()),
        }
        let (now, id) = (self.now(), legacy.session_id(&claims.jti));
        let until = self.revoked_until(now);
        let expires_at = Timestamp(i64::try_from(claims.exp).unwrap_or(i64::MAX / 1000).saturating_mul(1000));
        let storage = self.storage.on_behalf_of(context);
        if !storage.blacklist_legacy_token(&claims.jti, expires_at, &id, now, until)? {
            return Err(TokenFault::Revoked.into());
        }
        self.apply_revocation(&RevocationTarget::Session(id), until);
        Ok(())
    }
}
