use serde_json::{Map, Value};

use super::exchange::no_account;
use super::read::SlidingClaims;
use crate::authority::grants::{Lifetimes, PasswordGrant};
use crate::authority::tokens::{Draft, Sliding};
use crate::authority::{Authority, SlidingPolicy};
use crate::clients::GrantType;
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, OAuthFault, Result, SignInFault, TokenFault};
use crate::metrics;
use crate::sessions::Session;
use crate::storage::Exchanged;
use crate::users::Attributes;

impl Authority {
    /// simplejwt's `/api/token/sliding/`: one token, which is exchanged for a later one while it is good.
    ///
    /// # Errors
    /// As the password grant.
    pub fn obtain_sliding(&self, grant: &PasswordGrant) -> Result<String> {
        let policy = self.sliding_policy()?;
        // No refresh moves its idle end.
        let lifetimes = Lifetimes { idle: policy.refresh_ttl, absolute: policy.refresh_ttl };
        let started = self.start_session(&self.simplejwt.first_party, grant, lifetimes)?;
        metrics::issued(GrantType::Password.as_str());
        let sliding = Sliding { jti: None, refresh_exp: started.session.expires_at, ttl: policy.ttl };
        self.mint_sliding(&started.session, &started.user.attributes, sliding, started.custom)
    }

    /// simplejwt's `/api/token/sliding/refresh/`: the same token with a later end, as often as it is asked for, until its
    /// `refresh_exp`. Its session may end before.
    ///
    /// # Errors
    /// `Token` with the fault; `AccountInactive`; `Unavailable`.
    pub fn refresh_sliding(&self, unverified_token: &str, context: &RequestContext) -> Result<String> {
        let policy = self.sliding_policy()?;
        let now = self.now();
        if let Some(legacy) = self.legacy_of(&self.simplejwt.first_party, unverified_token) {
            let claims = self.read_legacy_token(unverified_token)?;
            let session_id = legacy.session_id(&claims.jti);
            let (session, attributes) = match self.legacy_sliding_session(legacy, &claims, context)? {
                Exchanged::Started(session, attributes) => (*session, attributes),
                Exchanged::NoAccount => return Err(no_account()),
                Exchanged::Spent => self.live_session(&session_id, now)?,
            };
            let refresh_exp = session.expires_at;
            let sliding = Sliding { jti: None, refresh_exp, ttl: policy.ttl };
            let custom = self.simplejwt.claims.of(&attributes, self.ask_webhook_by_id(&session.user_id)?)?;
            return self.mint_sliding(&session, &attributes, sliding, custom);
        }
        let SlidingClaims { jti, session_id, refresh_exp } =
            self.read_sliding_token(unverified_token, now)?;
        if refresh_exp <= now {
            return Err(TokenFault::RefreshEnded.into());
        }
        let (session, attributes) = self.live_session(&session_id, now)?;
        let custom = self.simplejwt.claims.of(&attributes, self.ask_webhook_by_id(&session.user_id)?)?;
        let sliding = Sliding { jti: Some(jti), refresh_exp, ttl: policy.ttl };
        self.mint_sliding(&session, &attributes, sliding, custom)
    }

    fn live_session(&self, id: &str, now: Timestamp) -> Result<(Session, Attributes)> {
        let Some((session, attributes)) = self.storage.find_session_and_account(id)? else {
            return Err(TokenFault::Revoked.into());
        };
        if session.ended.is_some() {
            return Err(TokenFault::Revoked.into());
        }
        if session.expires_at <= now {
            return Err(TokenFault::Expired.into());
        }
        let disabled =
            || Error::new(SignInFault::AccountInactive, "the account behind the session is disabled");
        Ok((session, attributes.ok_or_else(disabled)?))
    }

    fn mint_sliding(
        &self,
        session: &Session,
        attributes: &Attributes,
        sliding: Sliding,
        custom: Map<String, Value>,
    ) -> Result<String> {
        let draft = Draft::for_user(session, attributes, &session.scope, custom).sliding(sliding);
        self.mint_access_token(&draft, self.now())
    }

    fn sliding_policy(&self) -> Result<SlidingPolicy> {
        let off = || Error::new(OAuthFault::UnsupportedGrantType, "sliding tokens are switched off");
        self.simplejwt.sliding.ok_or_else(off)
    }
}
