//! A session that a user allowed in a browser, for a code or for a device.

use std::time::Duration;

use serde_json::{Map, Value};
use shared_claims::ScopeSet;

use crate::authority::Authority;
use crate::authority::tokens::{Draft, IdTokenDraft, IssuedTokens};
use crate::clients::{Client, GrantType, OFFLINE_SCOPE, OPENID_SCOPE};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::Result;
use crate::metrics;
use crate::revocations::RevocationTarget;
use crate::sessions::{FromBrowser, NewSession, Session};
use crate::storage::{Redeem, Redeemed};
use crate::users::Attributes;

/// What the user allowed, and how they were logged in.
pub(super) struct Allowed<'a> {
    pub session_id: &'a str,
    pub user_id: &'a str,
    pub password_epoch: i64,
    pub browser_session_id: &'a str,
    pub auth_time: Timestamp,
    pub amr: &'a [String],
    pub scope: ScopeSet,
    pub audience: &'a str,
    pub nonce: Option<&'a str>,
    /// Claims by name, for the ID token and for userinfo.
    pub id_token_claims: &'a [String],
    pub userinfo_claims: &'a [String],
}

/// What became of it.
pub(super) enum Begun {
    Issued(IssuedTokens),
    /// Not the first time: the session has been ended.
    Again,
    /// The user or the browser session is gone, or the password has changed.
    Gone,
}

/// What the tokens need from elsewhere.
struct Prepared {
    webhook_claims: Map<String, Value>,
    id_token_claims: Map<String, Value>,
}

impl Authority {
    /// Begins the session, once, and issues its first tokens.
    ///
    /// # Errors
    /// `Unavailable`: nothing was spent, the client may try again.
    pub(super) fn begin_allowed(
        &self,
        client: &Client,
        allowed: Allowed<'_>,
        grant: GrantType,
        context: &RequestContext,
    ) -> Result<Begun> {
        let now = self.now();
        // Everything that can fail comes before what is good once.
        let prepared = self.prepare(client, &allowed)?;
        let redeem = self.redemption(client, &allowed, context, now);
        match self.storage.on_behalf_of(context).redeem(redeem)? {
            Redeemed::Started { session, browser, attributes } => {
                metrics::issued(grant.as_str());
                let nonce = allowed.nonce;
                self.first_tokens(client, (&session, &browser), &attributes, nonce, prepared)
                    .map(Begun::Issued)
            }
            Redeemed::Again(session) => {
                tracing::warn!(
                    session = session.id,
                    user = session.user_id,
                    client = %session.client_id,
                    grant = grant.as_str(),
                    "a code was used twice: its session has been ended"
                );
                self.apply_revocation(&RevocationTarget::Session(session.id), self.revoked_until(now));
                Ok(Begun::Again)
            }
            Redeemed::Gone => Ok(Begun::Gone),
        }
    }

    fn prepare(&self, client: &Client, allowed: &Allowed<'_>) -> Result<Prepared> {
        let mut id_token_claims = Map::new();
        if allowed.scope.contains(OPENID_SCOPE) {
            self.issuer.signer_of(Some(client.login.id_token_algorithm))?;
            if !allowed.id_token_claims.is_empty()
                && let Some(identity) = self.storage.identity(allowed.user_id)?
            {
                id_token_claims = identity.claims(allowed.id_token_claims.iter().map(String::as_str));
            }
        }
        Ok(Prepared { webhook_claims: self.ask_webhook_by_id(allowed.user_id)?, id_token_claims })
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
            browser_idle_expires_at: now.plus(self.authorize.policy.browser_sessions.idle),
            limit: Some(self.session_limit(now)),
            revoked_until: self.revoked_until(now),
        }
    }

    /// Without a refresh token a session is over with its access token: it counts among those of its user no longer.
    fn idle_ttl_of(&self, client: &Client, from: &FromBrowser) -> Duration {
        if gets_refresh_token(client, from) { self.policy.refresh_idle_ttl } else { self.policy.access_ttl }
    }

    /// The tokens that a session begins with: an ID token for `openid`, a refresh token for clients that may have one and asked
    /// for it, or are the operator's own.
    fn first_tokens(
        &self,
        client: &Client,
        (session, browser): (&Session, &FromBrowser),
        attributes: &Attributes,
        nonce: Option<&str>,
        prepared: Prepared,
    ) -> Result<IssuedTokens> {
        let now = session.created_at;
        let custom = self.simplejwt.claims.of(attributes, prepared.webhook_claims)?;
        let draft = Draft::for_user(session, attributes, &session.scope, custom);
        let access_token = self.mint_access_token(&draft, now)?;
        let id_token = match session.scope.contains(OPENID_SCOPE) {
            false => None,
            true => {
                let (access_token, claims) = (access_token.as_str(), prepared.id_token_claims);
                let draft = IdTokenDraft { client, session, browser, nonce, access_token, claims };
                Some(self.mint_id_token(draft, now)?)
            }
        };
        let refresh_token = gets_refresh_token(client, browser)
            .then(|| self.mint_refresh_token(session, attributes))
            .transpose()?;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: session.scope.to_string(),
            refresh_token,
            id_token,
        })
    }
}

fn gets_refresh_token(client: &Client, from: &FromBrowser) -> bool {
    client.check_grant(GrantType::RefreshToken).is_ok() && (from.offline || client.login.first_party)
}
