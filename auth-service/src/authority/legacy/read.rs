use crate::authority::Authority;
use crate::authority::tokens::{ValidatedToken, check_borne};
use crate::clients::Client;
use crate::clock::Timestamp;
use crate::error::{Result, TokenFault};
use crate::tokens::refresh_token;
use crate::tokens::{LegacyClaims, LegacyKind, LegacyTokens};

/// A sliding token that holds.
pub(crate) struct SlidingClaims {
    pub jti: String,
    pub session_id: String,
    /// Until when there is a later one.
    pub refresh_exp: Timestamp,
}

impl Authority {
    /// The old system, when a client presents a token that calls itself one of its: only first-party ones may.
    pub(crate) fn legacy_of(&self, client: &Client, unverified: &str) -> Option<&LegacyTokens> {
        let legacy = self.simplejwt.legacy.as_ref().filter(|_| client.id == self.simplejwt.first_party.id)?;
        let token = refresh_token::parse(unverified).ok()?;
        legacy.is_one(&token).then_some(legacy)
    }

    pub(crate) fn read_legacy_token(
        &self,
        unverified: &str,
    ) -> std::result::Result<LegacyClaims, TokenFault> {
        let legacy = self.simplejwt.legacy.as_ref().ok_or(TokenFault::Invalid)?;
        legacy.read(&refresh_token::parse(unverified)?, self.now())
    }

    /// Whether a token of the old system holds.
    pub(in crate::authority) fn verify_legacy_token(&self, unverified: &str) -> Result<()> {
        let legacy = self.simplejwt.legacy.as_ref().ok_or(TokenFault::Invalid)?;
        self.check_legacy_holds(legacy, &self.read_legacy_token(unverified)?)
    }

    /// An access token that is also exchanged for a later one.
    pub(crate) fn read_sliding_token(&self, unverified: &str, now: Timestamp) -> Result<SlidingClaims> {
        let token = self.read_token(unverified, now)?;
        let ValidatedToken::Access(claims) = &token else { return Err(TokenFault::WrongType.into()) };
        check_borne(claims)?;
        let refresh_exp = claims.extra.get("refresh_exp").and_then(serde_json::Value::as_i64);
        let (Some(refresh_exp), Some(session_id)) = (refresh_exp, claims.sid.clone()) else {
            return Err(TokenFault::WrongType.into());
        };
        self.check_holds(&token, now)?;
        Ok(SlidingClaims {
            jti: claims.jti.clone(),
            session_id,
            refresh_exp: Timestamp(refresh_exp.saturating_mul(1000)),
        })
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
}
