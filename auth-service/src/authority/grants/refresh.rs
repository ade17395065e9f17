use std::sync::Arc;

use serde_json::{Map, Value};
use shared_claims::ScopeSet;

use crate::authority::tokens::{Draft, IdTokenDraft, IssuedTokens};
use crate::authority::{Authority, Step};
use crate::clients::{Client, ClientId, GrantType, OPENID_SCOPE, narrow};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, Result, SignInFault, TokenFault};
use crate::metrics;
use crate::revocations::RevocationTarget;
use crate::sessions::{EndReason, Rotation, Session};
use crate::storage::{Rotate, StorageError};
use crate::tokens::RefreshClaims;
use crate::users::Attributes;

/// A refresh token, presented by its client.
pub struct RefreshGrant {
    pub unverified_token: String,
    /// To narrow the scope of the access token.
    pub scope: Option<String>,
    pub context: RequestContext,
}

/// What an answer to a refresh is made of besides its session.
pub(in crate::authority) struct RefreshAnswer<'a> {
    /// Narrower than the session's, where it was asked for.
    pub scope: Option<&'a str>,
    /// Claims from the webhook.
    pub webhook_claims: Map<String, Value>,
    pub now: Timestamp,
}

impl Authority {
    /// A refresh token for its successor (RFC 6749 section 6), once: anyone who comes second within the
    /// grace gets the same successor, byte for byte; anyone who comes later ends the session
    /// (RFC 9700 section 4.14.2).
    ///
    /// Everything that can be refused is refused before the token is spent.
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_scope`; `Token` with the fault; `AccountInactive`;
    /// `Unavailable`: the token may be presented again.
    pub(super) fn refresh(&self, client: Arc<Client>, request: RefreshGrant) -> Result<Step<IssuedTokens>> {
        if request.scope.is_some() || self.must_ask_more(&client, &request.unverified_token) {
            let work = move |authority: &Self| authority.refresh_asking_more(&client, &request);
            return Ok(Step::blocks(work));
        }
        let (rotate, _) = self.check_refresh(&client, &request)?;
        let now = rotate.presented.now;
        let then = move |authority: &Self, rotation| {
            authority
                .answer_rotation(rotation, RefreshAnswer { scope: None, webhook_claims: Map::new(), now })
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
        let (rotate, claims) = self.check_refresh(client, request)?;
        if let Some(scope) = scope {
            self.check_narrower(&claims.session_id, scope)?;
        }
        let webhook_claims = self.ask_webhook_by_id(&claims.user_id)?;
        let now = rotate.presented.now;
        let rotation = self.rotate_or_hold(rotate)?;
        self.answer_rotation(rotation, RefreshAnswer { scope: scope.as_deref(), webhook_claims, now })
    }

    /// What can be checked without the database, and what the storage is then asked.
    fn check_refresh(&self, client: &Client, request: &RefreshGrant) -> Result<(Rotate, RefreshClaims)> {
        client.check_grant(GrantType::RefreshToken)?;
        let now = self.now();
        let claims = self.read_refresh_token(&request.unverified_token, now)?;
        let rotate = Rotate {
            presented: self.presented(&claims, &client.id, now),
            idle_expires_at: now.plus(self.policy.refresh_idle_ttl + self.simplejwt.leeway),
            revoked_until: self.revoked_until(now),
            context: request.context.clone(),
        };
        Ok((rotate, claims))
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

    pub(in crate::authority) fn answer_rotation(
        &self,
        rotation: Rotation,
        answer: RefreshAnswer<'_>,
    ) -> Result<IssuedTokens> {
        match rotation {
            Rotation::Holds { session, attributes, repeated } => {
                tracing::debug!(session = session.id, generation = session.generation, repeated, "refreshed");
                self.answer_refresh(&session, &attributes, answer)
            }
            Rotation::Reused { .. } => Err(TokenFault::Revoked.into()),
            Rotation::Ended(Some(EndReason::UserDisabled)) => {
                Err(Error::new(SignInFault::AccountInactive, "the account behind the session is disabled"))
            }
            Rotation::Ended(_) => Err(TokenFault::Revoked.into()),
            Rotation::Expired => Err(TokenFault::Expired.into()),
            Rotation::Unknown => Err(TokenFault::Invalid.into()),
        }
    }

    pub(in crate::authority) fn answer_refresh(
        &self,
        session: &Session,
        attributes: &Attributes,
        answer: RefreshAnswer<'_>,
    ) -> Result<IssuedTokens> {
        let scope = narrow(&session.scope, answer.scope)?;
        let custom = self.simplejwt.claims.of(attributes, answer.webhook_claims)?;
        let draft = Draft::for_user(session, attributes, &scope, custom);
        let access_token = self.mint_access_token(&draft, answer.now)?;
        metrics::issued(GrantType::RefreshToken.as_str());
        let rotates = self.rotates_tokens_of(&session.client_id);
        let id_token = self.id_token_after_refresh(session, &scope, &access_token, answer.now)?;
        Ok(IssuedTokens {
            id_token,
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: scope.to_string(),
            refresh_token: rotates.then(|| self.mint_refresh_token(session, attributes)).transpose()?,
        })
    }

    /// A client that knows who the user is gets another ID token, of the same login (OpenID Connect Core section 12.2).
    fn id_token_after_refresh(
        &self,
        session: &Session,
        scope: &ScopeSet,
        access_token: &str,
        now: Timestamp,
    ) -> Result<Option<String>> {
        let Some(browser) = session.browser.as_ref().filter(|_| scope.contains(OPENID_SCOPE)) else {
            return Ok(None);
        };
        let Some(client) = self.clients.enabled(&session.client_id) else { return Ok(None) };
        let draft =
            IdTokenDraft { client: &client, session, browser, nonce: None, access_token, claims: Map::new() };
        self.mint_id_token(draft, now).map(Some)
    }

    fn rotates_tokens_of(&self, client: &ClientId) -> bool {
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
