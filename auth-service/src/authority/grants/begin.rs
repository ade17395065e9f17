//! A session that a user allowed in a browser, for a code or for a device.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use shared_claims::{Confirmation, ScopeSet, Thumbprint};

use crate::authority::Authority;
use crate::clients::{Client, GrantType, OFFLINE_SCOPE, OPENID_SCOPE};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::Result;
use crate::revocations::RevocationTarget;
use crate::sessions::{FromBrowser, NewSession, Session};
use crate::storage::{Redeem, Redeemed, StorageError};

/// What the user allowed, and how they were logged in.
pub(super) struct Allowed<'a> {
    pub session_id: &'a str,
    pub user_id: &'a str,
    pub password_epoch: i64,
    pub browser_session_id: &'a str,
    /// As it was a moment ago, where that is known.
    pub browser_idle_expires_at: Option<Timestamp>,
    pub auth_time: Timestamp,
    pub amr: &'a [String],
    pub scope: ScopeSet,
    pub audience: &'a str,
    pub nonce: Option<&'a str>,
    /// To which the tokens were bound before they were asked for.
    pub dpop_jkt: Option<Thumbprint>,
    /// Claims by name, for the ID token and for userinfo.
    pub id_token_claims: &'a [String],
    pub userinfo_claims: &'a [String],
}

/// A session about to begin. Everything that can fail came before what is good once.
pub(super) struct Beginning {
    pub client: Arc<Client>,
    pub grant: GrantType,
    pub nonce: Option<String>,
    pub webhook_claims: Map<String, Value>,
    pub id_token_claims: Map<String, Value>,
    /// What the access token is bound to.
    pub cnf: Option<Confirmation>,
}

impl Authority {
    /// Whether it takes more than memory to prepare a session.
    pub(super) fn asks_to_begin(&self, allowed: &Allowed<'_>) -> bool {
        self.issuer.webhook.is_some() || !allowed.id_token_claims.is_empty()
    }

    /// What the storage is asked, once, and what the tokens then need.
    ///
    /// # Errors
    /// `invalid_dpop_proof`, `use_dpop_nonce`, `invalid_grant` with the proof of another key; `Unavailable`: nothing was spent, the client
    /// may try again.
    pub(super) fn prepare(
        &self,
        client: Arc<Client>,
        allowed: Allowed<'_>,
        grant: GrantType,
        context: &RequestContext,
    ) -> Result<(Box<Redeem>, Beginning)> {
        let now = self.now();
        self.check_can_issue_for(allowed.audience)?;
        let mut id_token_claims = Map::new();
        if allowed.scope.contains(OPENID_SCOPE) {
            self.issuer.signer_of(Some(client.login.id_token_algorithm))?;
            if !allowed.id_token_claims.is_empty()
                && let Some(identity) = self.storage.identity(allowed.user_id)?
            {
                id_token_claims = identity.claims(allowed.id_token_claims.iter().map(String::as_str));
            }
        }
        let webhook_claims = self.ask_webhook_by_id(allowed.user_id)?;
        let sender = self.check_sender(&client, &context.sender)?;
        sender.check_bound(allowed.dpop_jkt.map(Confirmation::Key))?;
        let cnf = self.confirm(&sender)?;
        let redeem = self.redemption(&client, &allowed, context, now);
        let nonce = allowed.nonce.map(str::to_owned);
        Ok((Box::new(redeem), Beginning { client, grant, nonce, webhook_claims, id_token_claims, cnf }))
    }

    /// Waits for the redemption.
    pub(crate) fn redeem(&self, redeem: Box<Redeem>) -> Result<Redeemed> {
        let outcome = self.storage.redeem(redeem);
        self.note_redeemed(&outcome);
        Ok(outcome?)
    }

    /// Does what a second redemption asks for, also when the caller has gone away: anyone who steals a code must not be able
    /// to silence the alarm by hanging up.
    pub(crate) fn note_redeemed(&self, outcome: &std::result::Result<Redeemed, StorageError>) {
        let Ok(Redeemed::Again(session)) = outcome else { return };
        tracing::warn!(
            session = session.id,
            user = session.user_id,
            client = %session.client_id,
            "a code was used twice: its session has been ended"
        );
        let revoked_until = self.revoked_until(self.now());
        self.apply_revocation(&RevocationTarget::Session(session.id.clone()), revoked_until);
    }

    fn redemption(
        &self,
        client: &Client,
        allowed: &Allowed<'_>,
        context: &RequestContext,
        now: Timestamp,
    ) -> Redeem {
        let from = FromBrowser {
            browser_session_id: allowed.browser_session_id.to_owned(),
            offline: allowed.scope.contains(OFFLINE_SCOPE),
            userinfo_claims: allowed.userinfo_claims.to_vec(),
        };
        let session = Session::begin(NewSession {
            id: allowed.session_id.to_owned(),
            user_id: allowed.user_id.to_owned(),
            client_id: client.id.clone(),
            scope: allowed.scope.clone(),
            audience: allowed.audience.to_owned(),
            auth_time: allowed.auth_time,
            amr: allowed.amr.to_vec(),
            created_at: now,
            idle_ttl: self.idle_ttl_of(client, &from),
            absolute_ttl: self.policy.refresh_absolute_ttl,
            leeway: self.simplejwt.leeway,
            device: context.device(),
            browser: Some(from.clone()),
        });
        Redeem {
            session,
            from,
            password_epoch: allowed.password_epoch,
            keep_browser_until: self
                .authorize
                .policy
                .browser_sessions
                .kept_until(allowed.browser_idle_expires_at, now),
            limit: self.session_limit(now),
            revoked_until: self.revoked_until(now),
            context: context.clone(),
        }
    }

    /// Without a refresh token a session is over with its access token: it counts among those of its user no longer.
    fn idle_ttl_of(&self, client: &Client, from: &FromBrowser) -> Duration {
        if gets_refresh_token(client, from) { self.policy.refresh_idle_ttl } else { self.policy.access_ttl }
    }
}

pub(super) fn gets_refresh_token(client: &Client, from: &FromBrowser) -> bool {
    client.check_grant(GrantType::RefreshToken).is_ok() && (from.offline || client.login.first_party)
}
