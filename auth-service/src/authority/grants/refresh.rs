use serde_json::{Map, Value};

use crate::authority::Authority;
use crate::authority::tokens::{Draft, IssuedTokens};
use crate::clients::{Client, GrantType, narrow};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result, TokenFault};
use crate::metrics;
use crate::revocations::RevocationTarget;
use crate::sessions::{EndReason, Rotation, Session};
use crate::storage::{Rotate, StorageError};
use crate::tokens::RefreshClaims;
use crate::users::Attributes;

/// A refresh that was checked as far as can be without the database: what the storage is asked, and what
/// is needed to answer when it has decided.
pub struct PendingRefresh {
    pub rotate: Rotate,
    claims: RefreshClaims,
    scope: Option<String>,
    now: Timestamp,
}

impl Authority {
    /// A refresh token for its successor (RFC 6749 section 6), once: anyone who comes second within the
    /// grace gets the same successor, byte for byte; anyone who comes later ends the session
    /// (RFC 9700 section 4.14.2).
    ///
    /// Everything that can be refused is refused before the token is spent. The steps of this method are
    /// those of an endpoint that does not wait for the storage: [`Self::begin_refresh`], the storage's
    /// `rotate_session_then`, [`Self::note_outcome`], [`Self::finish_refresh`]; where
    /// [`Self::must_wait_to_refresh`] says so there are more of them.
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
        if let Some(legacy) = self.legacy_of(client, unverified_token) {
            let claims = self.read_legacy_token(unverified_token)?;
            return self.refresh_legacy(legacy, &claims);
        }
        let pending = self.begin_refresh(client, unverified_token, scope)?;
        if let Some(scope) = scope {
            self.check_narrower(&pending.claims.session_id, scope)?;
        }
        let said = self.ask_webhook_by_id(&pending.claims.user_id)?;
        let rotation = self.rotate_or_hold(pending.rotate.clone())?;
        self.answer_rotation(rotation, scope, (said, pending.now))
    }

    /// Whether a refresh has to ask more than its rotation: a token of another system, a webhook, a session that keeps
    /// its refresh token.
    #[must_use]
    pub fn must_wait_to_refresh(&self, client: &Client, unverified_token: &str) -> bool {
        self.issuer.webhook.is_some()
            || !self.rotates_tokens_of(client)
            || self.legacy_of(client, unverified_token).is_some()
    }

    /// What can be checked without the database. A `scope` must be checked against the session before the
    /// token is spent, which [`Self::refresh`] does.
    ///
    /// # Errors
    /// `unauthorized_client`; `Token` with the fault.
    pub fn begin_refresh(
        &self,
        client: &Client,
        unverified_token: &str,
        scope: Option<&str>,
    ) -> Result<PendingRefresh> {
        client.check_grant(GrantType::RefreshToken)?;
        let now = self.now();
        let claims = self.read_refresh_token(unverified_token, now)?;
        let rotate = Rotate {
            presented: self.presented(&claims, &client.id, now),
            idle_expires_at: now.plus(self.policy.refresh_idle_ttl + self.simplejwt.leeway),
            revoked_until: self.revoked_until(now),
        };
        Ok(PendingRefresh { rotate, claims, scope: scope.map(str::to_owned), now })
    }

    /// Answers by what the storage decided.
    ///
    /// # Errors
    /// As [`Self::refresh`].
    pub fn finish_refresh(&self, pending: &PendingRefresh, rotation: Rotation) -> Result<IssuedTokens> {
        self.answer_rotation(rotation, pending.scope.as_deref(), (Map::new(), pending.now))
    }

    /// A rotation, or, where sessions keep their refresh token, a look at the session.
    pub(in crate::authority) fn rotate_or_hold(&self, rotate: Rotate) -> Result<Rotation> {
        let keeps_its_own =
            rotate.presented.client_id == self.simplejwt.first_party.id && !self.simplejwt.rotate;
        if keeps_its_own && let Some(held) = self.storage.hold_session(&rotate.presented)? {
            return Ok(held);
        }
        let outcome = self.storage.rotate_session(rotate.clone());
        self.note_outcome(&rotate, &outcome);
        Ok(outcome?)
    }

    pub(in crate::authority) fn answer_rotation(
        &self,
        rotation: Rotation,
        scope: Option<&str>,
        (said, now): (Map<String, Value>, Timestamp),
    ) -> Result<IssuedTokens> {
        match rotation {
            Rotation::Holds { session, attributes, repeated } => {
                tracing::debug!(session = session.id, generation = session.generation, repeated, "refreshed");
                self.answer_refresh((&session, &attributes), scope, (said, now))
            }
            Rotation::Reused { .. } => Err(TokenFault::Revoked.into()),
            Rotation::Ended(Some(EndReason::UserDisabled)) => {
                Err(Error::new(ErrorKind::AccountInactive, "the account behind the session is disabled"))
            }
            Rotation::Ended(_) => Err(TokenFault::Revoked.into()),
            Rotation::Expired => Err(TokenFault::Expired.into()),
            Rotation::Unknown => Err(TokenFault::Invalid.into()),
        }
    }

    pub(in crate::authority) fn answer_refresh(
        &self,
        (session, attributes): (&Session, &Attributes),
        scope: Option<&str>,
        (said, now): (Map<String, Value>, Timestamp),
    ) -> Result<IssuedTokens> {
        let scope = narrow(&session.scope, scope)?;
        let custom = self.simplejwt.claims.of(attributes, said)?;
        let draft = Draft::for_user((session, attributes), &scope, custom);
        let access_token = self.mint_access_token(&draft, now)?;
        metrics::issued(GrantType::RefreshToken.as_str());
        let keeps_its_own = session.client_id == self.simplejwt.first_party.id && !self.simplejwt.rotate;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: scope.to_string(),
            refresh_token: (!keeps_its_own).then(|| self.mint_refresh_token(session, attributes)),
        })
    }

    fn rotates_tokens_of(&self, client: &Client) -> bool {
        client.id != self.simplejwt.first_party.id || self.simplejwt.rotate
    }

    /// Counts what the storage decided, and does what a reuse asks for, also when the caller has gone away:
    /// anyone who steals a token must not be able to silence the alarm by hanging up.
    pub fn note_outcome(&self, rotate: &Rotate, outcome: &std::result::Result<Rotation, StorageError>) {
        metrics::refresh(outcome.as_ref().map_or("unavailable", Rotation::outcome));
        let Ok(Rotation::Reused { session }) = outcome else { return };
        tracing::warn!(
            session = session.id,
            user = session.user_id,
            client = %session.client_id,
            presented = rotate.presented.generation,
            current = session.generation,
            "a refresh token was used twice: its session has been ended"
        );
        self.apply_revocation(&RevocationTarget::Session(session.id.clone()), rotate.revoked_until);
    }

    fn check_narrower(&self, session_id: &str, scope: &str) -> Result<()> {
        let session = self.storage.find_session(session_id)?.ok_or(TokenFault::Invalid)?;
        narrow(&session.scope, Some(scope)).map(drop)
    }
}
