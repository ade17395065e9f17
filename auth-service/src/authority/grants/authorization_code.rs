use shared_claims::ScopeSet;

use crate::authority::Authority;
use crate::authority::authorize::Code;
use crate::authority::tokens::{Draft, IdTokenDraft, IssuedTokens};
use crate::clients::{Client, GrantType, OFFLINE_SCOPE, OPENID_SCOPE};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::metrics;
use crate::revocations::RevocationTarget;
use crate::secret::PlainSecret;
use crate::sessions::{FromBrowser, NewSession, Session};
use crate::storage::{Redeem, Redeemed};
use crate::users::Attributes;

/// A code, presented by its client (RFC 6749 section 4.1.3).
pub struct AuthorizationCodeGrant {
    pub unverified_code: String,
    pub redirect_uri: Option<String>,
    /// Of PKCE (RFC 7636 section 4.5).
    pub verifier: Option<PlainSecret>,
    pub context: RequestContext,
}

/// What a session that has begun is answered with.
pub(in crate::authority) struct Begun<'a> {
    pub session: &'a Session,
    pub browser: &'a FromBrowser,
    pub attributes: &'a Attributes,
    pub nonce: Option<&'a str>,
    pub id_token_claims: &'a [String],
}

impl Authority {
    /// A code for tokens, once. Whatever does not fit is refused before anything is spent, so that an attacker who has the code
    /// alone cannot use it up; a second redemption ends the session of the first (RFC 6749 section 4.1.2).
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_grant`; `Unavailable`: the code may be presented again.
    pub(super) fn redeem_code(
        &self,
        client: &Client,
        grant: &AuthorizationCodeGrant,
    ) -> Result<IssuedTokens> {
        client.check_grant(GrantType::AuthorizationCode)?;
        let code = self.open_code(&grant.unverified_code)?;
        check_code(client, &code, grant)?;
        let now = self.now();
        let redeem = self.redemption(client, &code, &grant.context, now)?;
        let storage = self.storage.on_behalf_of(&grant.context);
        match storage.redeem(redeem)? {
            Redeemed::Started { session, browser, attributes } => {
                metrics::issued(GrantType::AuthorizationCode.as_str());
                let begun = Begun {
                    session: &session,
                    browser: &browser,
                    attributes: &attributes,
                    nonce: code.nonce.as_deref(),
                    id_token_claims: &code.id_token_claims,
                };
                self.answer_begun(client, &begun, now)
            }
            Redeemed::Again(session) => {
                tracing::warn!(
                    session = session.id,
                    user = session.user_id,
                    client = %session.client_id,
                    "an authorization code was used twice: its session has been ended"
                );
                self.apply_revocation(&RevocationTarget::Session(session.id), self.revoked_until(now));
                Err(refused("the code was used before"))
            }
            Redeemed::Gone => Err(refused("the user is no longer logged in")),
        }
    }

    fn redemption(
        &self,
        client: &Client,
        code: &Code,
        context: &RequestContext,
        now: Timestamp,
    ) -> Result<Redeem> {
        let unreadable = |_| Error::new(ErrorKind::Internal, "a code with a malformed scope");
        let scope = ScopeSet::parse(&code.scope).map_err(unreadable)?;
        let from = FromBrowser {
            browser_session_id: code.browser_session_id.clone(),
            offline: scope.contains(OFFLINE_SCOPE),
            userinfo_claims: code.userinfo_claims.clone(),
        };
        let session = Session::begin(NewSession {
            id: code.session_id.clone(),
            user_id: code.user_id.clone(),
            client_id: client.id.clone(),
            scope,
            audience: code.audience.clone(),
            auth_time: Timestamp(code.auth_time),
            amr: code.amr.clone(),
            created_at: now,
            idle_ttl: self.policy.refresh_idle_ttl,
            absolute_ttl: self.policy.refresh_absolute_ttl,
            leeway: self.simplejwt.leeway,
            device: context.device(),
            browser: Some(from.clone()),
        });
        Ok(Redeem {
            session,
            from,
            password_epoch: code.password_epoch,
            browser_idle_expires_at: now.plus(self.authorize.policy.browser_sessions.idle),
            limit: Some(self.session_limit(now)),
            revoked_until: self.revoked_until(now),
        })
    }

    /// The tokens that a session begins with: an ID token for `openid`, a refresh token for clients that may have one and asked
    /// for it, or are the operator's own.
    pub(in crate::authority) fn answer_begun(
        &self,
        client: &Client,
        begun: &Begun<'_>,
        now: Timestamp,
    ) -> Result<IssuedTokens> {
        let Begun { session, browser, attributes, nonce, id_token_claims } = begun;
        let custom = self.simplejwt.claims.of(attributes, self.ask_webhook_by_id(&session.user_id)?)?;
        let draft = Draft::for_user(session, attributes, &session.scope, custom);
        let access_token = self.mint_access_token(&draft, now)?;
        let id_token = match session.scope.contains(OPENID_SCOPE) {
            false => None,
            true => {
                let names = id_token_claims.iter().map(String::as_str);
                let identity = if id_token_claims.is_empty() {
                    None
                } else {
                    self.storage.identity(&session.user_id)?
                };
                let claims = identity.map(|identity| identity.claims(names)).unwrap_or_default();
                let access_token = access_token.as_str();
                let draft = IdTokenDraft { client, session, browser, nonce: *nonce, access_token, claims };
                Some(self.mint_id_token(draft, now)?)
            }
        };
        let gets_refresh_token = client.check_grant(GrantType::RefreshToken).is_ok()
            && (browser.offline || client.login.first_party);
        let refresh_token =
            gets_refresh_token.then(|| self.mint_refresh_token(session, attributes)).transpose()?;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: session.scope.to_string(),
            refresh_token,
            id_token,
        })
    }
}

/// Everything that can be said of a code without spending it.
fn check_code(client: &Client, code: &Code, grant: &AuthorizationCodeGrant) -> Result<()> {
    if code.client_id != client.id.as_str() {
        return Err(refused("the code is another client's"));
    }
    match &grant.redirect_uri {
        None => return Err(refused("the parameter `redirect_uri` is missing")),
        Some(uri) if !code.was_sent_to(uri) => {
            return Err(refused("`redirect_uri` is another one than the code was sent to"));
        }
        Some(_) => {}
    }
    if !code.is_proved_by(grant.verifier.as_ref()) {
        return Err(refused("`code_verifier` does not belong to the code"));
    }
    Ok(())
}

fn refused(hint: &'static str) -> Error {
    Error::new(OAuthFault::InvalidGrant(hint), hint)
}
