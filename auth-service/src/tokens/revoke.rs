use std::time::Duration;

use shared_claims::encryption::is_encrypted;

use super::validated::ValidatedToken;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::clients::{Client, ClientId};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, MissingPart, Result, TokenFault};
use crate::revocations::RevocationTarget;
use crate::sessions::Evaluation;
use crate::tokens::{LegacyClaims, LegacyKind, LegacyTokens};

/// Verifiers forgive this much clock difference, so a revocation must outlive `exp` by it.
const LEEWAY: Duration = Duration::from_secs(60);

impl Authority {
    /// Revokes a token (RFC 7009): a refresh token with its session and all its access tokens, an
    /// access token alone. A token that is unknown, expired or another client's is no error, and
    /// another client's stays good (section 2.1).
    ///
    /// # Errors
    /// `Unavailable`: nothing was revoked, and the caller must try again. `UnsupportedTokenType` for an
    /// encrypted token, which only its audience can read: 200 would be a lie.
    pub fn revoke_token(&self, caller: &Client, unverified_token: &str) -> Result<()> {
        if is_encrypted(unverified_token) {
            let cause = "an encrypted token cannot be read here, and not be revoked alone";
            return Err(Error::new(ErrorKind::UnsupportedTokenType, cause));
        }
        let now = self.now();
        match self.read_token(unverified_token, now) {
            Ok(ValidatedToken::Refresh(claims)) if claims.client_id == caller.id => {
                self.end_session(&claims.session_id, now)?;
            }
            Ok(ValidatedToken::Access(claims)) if claims.client_id == caller.id.as_str() => {
                let expires_at =
                    Timestamp(i64::try_from(claims.exp).unwrap_or(i64::MAX).saturating_mul(1000));
                // Also what is known here to be revoked: a database that was restored may not know it any more.
                self.check_revocation_rate(&caller.id, now)?;
                let needed_until = expires_at.plus(LEEWAY);
                self.storage.revoke_token(&claims.jti, &caller.id, needed_until)?;
                self.apply_revocation(&RevocationTarget::Token(claims.jti.clone()), needed_until);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_revocation_rate(&self, client: &ClientId, now: Timestamp) -> Result<()> {
        let cause = "the client revokes too many tokens one by one";
        let Err(wait) = self.token_revocations.take(client, now) else { return Ok(()) };
        self.note_limited(client.as_str(), cause, || {
            Event::of(Action::AttemptsLimited).client(client.as_str()).by(Actor::Client(client.clone()))
        })?;
        Err(Error::too_many_attempts(wait, cause))
    }

    /// simplejwt's blacklist endpoint: ends the session of a first-party refresh token.
    ///
    /// # Errors
    /// `Token` with the fault, `Revoked` when it was blacklisted or used before; `Unavailable`.
    pub fn blacklist(&self, unverified_token: &str) -> Result<()> {
        let now = self.now();
        if let Some(legacy) = self.legacy_of(&self.first_party, unverified_token) {
            return self.blacklist_legacy(legacy, &self.read_legacy_token(unverified_token)?);
        }
        let claims = self.read_refresh_token(unverified_token, now)?;
        let session = self.storage.find_session(&claims.session_id)?.ok_or(TokenFault::Invalid)?;
        match session.evaluate(&self.presented(&claims, &self.first_party.id, now)) {
            Evaluation::NotYours => return Err(TokenFault::Invalid.into()),
            Evaluation::Expired => return Err(TokenFault::Expired.into()),
            Evaluation::Ended => return Err(TokenFault::Revoked.into()),
            // Anyone who holds any token of the family may end it: nothing is gained by waiting.
            Evaluation::Current | Evaluation::Repeated | Evaluation::Reused => {}
        }
        self.end_session(&session.id, now)
    }

    /// A refresh token of the old system, and the session that it was exchanged for.
    fn blacklist_legacy(&self, legacy: &LegacyTokens, claims: &LegacyClaims) -> Result<()> {
        match claims.kind {
            Some(LegacyKind::Refresh) => {}
            Some(_) => return Err(TokenFault::WrongType.into()),
            None => return Err(TokenFault::Missing(MissingPart::Type).into()),
        }
        let (now, id) = (self.now(), legacy.session_id(&claims.jti));
        let until = self.revoked_until(now);
        let expires_at = Timestamp(i64::try_from(claims.exp).unwrap_or(i64::MAX / 1000).saturating_mul(1000));
        if !self.storage.blacklist_legacy_token((&claims.jti, expires_at), &id, (now, until))? {
            return Err(TokenFault::Revoked.into());
        }
        self.apply_revocation(&RevocationTarget::Session(id), until);
        Ok(())
    }

    fn end_session(&self, id: &str, now: Timestamp) -> Result<()> {
        let until = self.revoked_until(now);
        self.storage.end_session(id, now, until)?;
        self.apply_revocation(&RevocationTarget::Session(id.to_owned()), until);
        Ok(())
    }

    /// A stored revocation applies here at once, and is published in a moment.
    pub(crate) fn apply_revocation(&self, target: &RevocationTarget, until: Timestamp) {
        self.revocations.add(target, until, self.now());
        self.sync.wake();
    }
}
