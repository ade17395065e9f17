use serde_json::{Map, Value};
use shared_claims::{Confirmation, ScopeSet};

use crate::authority::Authority;
use crate::authority::tokens::{Draft, IdTokenDraft, IssuedTokens};
use crate::clients::{GrantType, OPENID_SCOPE, narrow};
use crate::clock::Timestamp;
use crate::error::{Error, Result, SignInFault, TokenFault};
use crate::metrics;
use crate::sessions::{EndReason, Rotation, Session};
use crate::users::Attributes;

/// What an answer to a refresh is made of besides its session.
pub(in crate::authority) struct RefreshAnswer<'a> {
    /// Narrower than the session's, where it was asked for.
    pub scope: Option<&'a str>,
    /// Claims from the webhook.
    pub webhook_claims: Map<String, Value>,
    /// What the access token is bound to.
    pub cnf: Option<Confirmation>,
    /// What the refresh token is bound to, as the one before it was.
    pub refresh_cnf: Option<Confirmation>,
    pub now: Timestamp,
}

impl RefreshAnswer<'_> {
    /// Without a proof.
    pub(in crate::authority) fn unbound(webhook_claims: Map<String, Value>, now: Timestamp) -> Self {
        Self { scope: None, webhook_claims, cnf: None, refresh_cnf: None, now }
    }
}

impl Authority {
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
        let draft = Draft::for_user(session, attributes, &scope, custom).bound_to(answer.cnf);
        let access_token = self.mint_access_token(&draft, answer.now)?;
        metrics::issued(GrantType::RefreshToken.as_str());
        let rotates = self.rotates_tokens_of(&session.client_id);
        let id_token = self.id_token_after_refresh(session, &scope, &access_token, answer.now)?;
        Ok(IssuedTokens {
            id_token,
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: scope.to_string(),
            refresh_token: rotates
                .then(|| self.mint_refresh_token(session, attributes, answer.refresh_cnf))
                .transpose()?,
            cnf: answer.cnf,
            issued_token_type: None,
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
}
