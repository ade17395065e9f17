use std::time::Duration;

use shared_claims::encryption::is_encrypted;

use super::read::ValidatedToken;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::clients::{Client, ClientId};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, OAuthFault, Result};
use crate::revocations::RevocationTarget;

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
    pub fn revoke_token(
        &self,
        caller: &Client,
        unverified_token: &str,
        context: &RequestContext,
    ) -> Result<()> {
        if is_encrypted(unverified_token) {
            let cause = "an encrypted token cannot be read here, and not be revoked alone";
            return Err(Error::new(OAuthFault::UnsupportedTokenType, cause));
        }
        let now = self.now();
        match self.read_token(unverified_token, now) {
            Ok(ValidatedToken::Refresh(claims)) if claims.client_id == caller.id => {
                self.end_session(&claims.session_id, now, context)?;
            }
            Ok(ValidatedToken::Access(claims)) if claims.client_id == caller.id.as_str() => {
                let expires_at =
                    Timestamp(i64::try_from(claims.exp).unwrap_or(i64::MAX).saturating_mul(1000));
                // Also what is known here to be revoked: a database that was restored may not know it any more.
                self.check_revocation_rate(&caller.id, now, context)?;
                let needed_until = expires_at.plus(LEEWAY);
                self.storage.on_behalf_of(context).revoke_token(&claims.jti, &caller.id, needed_until)?;
                self.apply_revocation(&RevocationTarget::Token(claims.jti.clone()), needed_until);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_revocation_rate(
        &self,
        client: &ClientId,
        now: Timestamp,
        context: &RequestContext,
    ) -> Result<()> {
        let cause = "the client revokes too many tokens one by one";
        let Err(wait) = self.reader.client_limiter.take(client, now) else { return Ok(()) };
        self.note_limited(client.as_str(), cause, context, || {
            Event::of(Action::AttemptsLimited).client(client.as_str()).by(Actor::Client(client.clone()))
        })?;
        Err(Error::too_many_attempts(wait, cause))
    }

    pub(in crate::authority) fn end_session(
        &self,
        id: &str,
        now: Timestamp,
        context: &RequestContext,
    ) -> Result<()> {
        let until = self.revoked_until(now);
        self.storage.on_behalf_of(context).end_session(id, now, until)?;
        self.apply_revocation(&RevocationTarget::Session(id.to_owned()), until);
        Ok(())
    }

    /// A stored revocation applies here at once, and is published in a moment.
    pub(crate) fn apply_revocation(&self, target: &RevocationTarget, until: Timestamp) {
        self.reader.revocations.add(target, until, self.now());
        self.sync.wake();
    }
}
