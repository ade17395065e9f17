use crate::authority::Authority;
use crate::clients::{Client, GrantType, narrow};
use crate::error::{Error, ErrorKind, Result, TokenFault};
use crate::sessions::{EndReason, Rotation};
use crate::storage::Rotate;
use crate::tokens::{Draft, IssuedTokens};

impl Authority {
    /// A refresh token for its successor (RFC 6749 section 6), once: whoever comes second within the
    /// grace gets the same successor, byte for byte; whoever comes later ends the session
    /// (RFC 9700 section 4.14.2).
    ///
    /// Everything that can be refused is refused before the token is spent.
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_scope`; `Token` with the fault; `AccountInactive`;
    /// `Unavailable`: the token may be presented again.
    pub fn refresh(
        &self,
        client: &Client,
        unverified_token: &str,
        scope: Option<&str>,
    ) -> Result<IssuedTokens> {
        client.check_grant(GrantType::RefreshToken)?;
        let now = self.now();
        let claims = self.read_refresh_token(unverified_token, now)?;
        if let Some(scope) = scope {
            self.check_narrower(&claims.session_id, scope)?;
        }
        let rotation = self.storage.rotate_session(Rotate {
            presented: self.presented(&claims, &client.id, now),
            idle_expires_at: now.plus(self.policy.refresh_idle_ttl),
            revoked_until: self.revoked_until(now),
        })?;
        match rotation {
            Rotation::Holds { session, user, repeated } => {
                tracing::debug!(session = session.id, generation = session.generation, repeated, "refreshed");
                let scope = narrow(&session.scope, scope)?;
                Ok(IssuedTokens {
                    access_token: self.mint_access_token(&Draft::for_person(&session, &user, &scope), now)?,
                    expires_in: self.policy.access_ttl.as_secs(),
                    scope: scope.to_string(),
                    refresh_token: Some(self.refresh_tokens.mint(&session)),
                })
            }
            Rotation::Reused { session } => {
                tracing::warn!(
                    session = session.id,
                    user = session.user_id,
                    client = %session.client_id,
                    presented = claims.generation,
                    current = session.generation,
                    "a refresh token was used twice: its session has been ended"
                );
                self.seen.wake();
                Err(TokenFault::Revoked.into())
            }
            Rotation::Ended(Some(EndReason::UserDisabled)) => {
                Err(Error::new(ErrorKind::AccountInactive, "the account behind the session is disabled"))
            }
            Rotation::Ended(_) => Err(TokenFault::Revoked.into()),
            Rotation::Expired => Err(TokenFault::Expired.into()),
            Rotation::Unknown => Err(TokenFault::Invalid.into()),
        }
    }

    fn check_narrower(&self, session_id: &str, scope: &str) -> Result<()> {
        let session = self.storage.find_session(session_id)?.ok_or(TokenFault::Invalid)?;
        narrow(&session.scope, Some(scope)).map(drop)
    }
}
