use std::sync::Arc;

use serde_json::Map;
use shared_claims::Confirmation;

use super::refresh_answer::RefreshAnswer;
use crate::authority::tokens::IssuedTokens;
use crate::authority::{Authority, Step};
use crate::clients::{Client, ClientId, GrantType, narrow};
use crate::context::RequestContext;
use crate::error::{Result, TokenFault};
use crate::metrics;
use crate::revocations::RevocationTarget;
use crate::sessions::Rotation;
use crate::storage::{Rotate, StorageError};
use crate::tokens::RefreshClaims;

/// A refresh token, presented by its client.
pub struct RefreshGrant {
    pub unverified_token: String,
    /// To narrow the scope of the access token.
    pub scope: Option<String>,
    pub context: RequestContext,
}

/// A refresh that holds as far as can be seen without the database.
struct CheckedRefresh {
    rotate: Rotate,
    claims: RefreshClaims,
    cnf: Option<Confirmation>,
    refresh_cnf: Option<Confirmation>,
}

/// What the refresh tokens of a client are bound to: a client that proves itself needs no more (RFC 9449 section 5).
pub(super) fn binds_refresh(client: &Client, cnf: Option<Confirmation>) -> Option<Confirmation> {
    cnf.filter(|_| client.is_public())
}

impl Authority {
    /// A refresh token for its successor (RFC 6749 section 6), once: anyone who comes second within the
    /// grace gets the same successor, byte for byte; anyone who comes later ends the session
    /// (RFC 9700 section 4.14.2).
    ///
    /// Everything that can be refused is refused before the token is spent.
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_scope`; `invalid_dpop_proof`, `use_dpop_nonce`; `Token` with the fault; `AccountInactive`;
    /// `Unavailable`: the token may be presented again.
    pub(super) fn refresh(&self, client: Arc<Client>, request: RefreshGrant) -> Result<Step<IssuedTokens>> {
        if request.scope.is_some() || self.must_ask_more(&client, &request.unverified_token) {
            let work = move |authority: &Self| authority.refresh_asking_more(&client, &request);
            return Ok(Step::blocks(work));
        }
        let CheckedRefresh { rotate, cnf, refresh_cnf, .. } = self.check_refresh(&client, &request)?;
        let now = rotate.presented.now;
        let then = move |authority: &Self, rotation| {
            let unbound = RefreshAnswer::unbound(Map::new(), now);
            authority.answer_rotation(rotation, RefreshAnswer { cnf, refresh_cnf, ..unbound })
        };
        Ok(Step::Rotates { rotate, then: Box::new(then) })
    }

    /// Whether a refresh has to ask more than its rotation: a token of another system, a webhook, a session that keeps
    /// its refresh token.
    fn must_ask_more(&self, client: &Client, unverified_token: &str) -> bool {
        self.issuer.webhook.is_some()
            || !self.rotates_tokens_of(&client.id)
            || self.legacy_of(client, unverified_token).is_some()
    }

    fn refresh_asking_more(&self, client: &Client, request: &RefreshGrant) -> Result<IssuedTokens> {
        let RefreshGrant { unverified_token, scope, context } = request;
        if let Some(legacy) = self.legacy_of(client, unverified_token) {
            let claims = self.read_legacy_token(unverified_token)?;
            return self.refresh_legacy(legacy, &claims, context);
        }
        let CheckedRefresh { rotate, claims, cnf, refresh_cnf } = self.check_refresh(client, request)?;
        if let Some(scope) = scope {
            self.check_narrower(&claims.session_id, scope)?;
        }
        let webhook_claims = self.ask_webhook_by_id(&claims.user_id)?;
        let now = rotate.presented.now;
        let rotation = self.rotate_or_hold(rotate)?;
        let scope = scope.as_deref();
        self.answer_rotation(rotation, RefreshAnswer { scope, webhook_claims, cnf, refresh_cnf, now })
    }

    /// What can be checked without the database, and what the storage is then asked.
    fn check_refresh(&self, client: &Client, request: &RefreshGrant) -> Result<CheckedRefresh> {
        client.check_grant(GrantType::RefreshToken)?;
        let now = self.now();
        let claims = self.read_refresh_token(&request.unverified_token, now)?;
        let sender = self.check_sender(client, &request.context.sender)?;
        sender.check_bound(claims.cnf)?;
        let cnf = self.confirm(&sender)?;
        let rotate = Rotate {
            presented: self.presented(&claims, &client.id, now),
            idle_expires_at: now.plus(self.policy.refresh_idle_ttl + self.simplejwt.leeway),
            revoked_until: self.revoked_until(now),
            context: request.context.clone(),
        };
        // One that is bound to nothing yet is bound from now on.
        let refresh_cnf = claims.cnf.or_else(|| binds_refresh(client, cnf));
        Ok(CheckedRefresh { rotate, claims, cnf, refresh_cnf })
    }

    /// Waits for a rotation.
    pub(in crate::authority) fn rotate(&self, rotate: Rotate) -> Result<Rotation> {
        let outcome = self.storage.rotate_session(rotate.clone());
        self.note_outcome(&rotate, &outcome);
        Ok(outcome?)
    }

    /// A rotation, or, where sessions keep their refresh token, a look at the session.
    pub(in crate::authority) fn rotate_or_hold(&self, rotate: Rotate) -> Result<Rotation> {
        if !self.rotates_tokens_of(&rotate.presented.client_id)
            && let Some(held) = self.storage.hold_session(&rotate.presented)?
        {
            return Ok(held);
        }
        self.rotate(rotate)
    }

    pub(super) fn rotates_tokens_of(&self, client: &ClientId) -> bool {
        *client != self.simplejwt.first_party.id || self.simplejwt.rotate
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
