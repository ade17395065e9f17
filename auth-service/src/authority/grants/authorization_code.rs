use std::sync::Arc;

use shared_claims::{ScopeSet, Thumbprint};

use super::begin::{Allowed, Beginning};
use super::first_tokens::Begun;
use crate::authority::authorize::Code;
use crate::authority::tokens::IssuedTokens;
use crate::authority::{Authority, Step};
use crate::clients::{Client, GrantType};
use crate::clock::Timestamp;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::secret::PlainSecret;
use crate::storage::Redeemed;

/// A code, presented by its client (RFC 6749 section 4.1.3).
pub struct AuthorizationCodeGrant {
    pub unverified_code: String,
    pub redirect_uri: Option<String>,
    /// Of PKCE (RFC 7636 section 4.5).
    pub verifier: Option<PlainSecret>,
    pub context: RequestContext,
}

impl Authority {
    /// A code for tokens, once. Whatever does not fit is refused before anything is spent, so that an attacker who has the code
    /// alone cannot use it up; a second redemption ends the session of the first (RFC 6749 section 4.1.2).
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_grant`; `invalid_dpop_proof`, `use_dpop_nonce`; `Unavailable`: the code may be presented again, unless the database is lost on the
    /// way.
    pub(super) fn redeem_code(
        &self,
        client: Arc<Client>,
        grant: &AuthorizationCodeGrant,
    ) -> Result<Step<IssuedTokens>> {
        client.check_grant(GrantType::AuthorizationCode)?;
        let code = self.open_code(&grant.unverified_code)?;
        check_code(&client, &code, grant)?;
        let asks = self.asks_to_begin(&allowed_by(&code)?);
        let context = grant.context.clone();
        let prepare = move |authority: &Self| {
            authority.prepare(client, allowed_by(&code)?, GrantType::AuthorizationCode, &context)
        };
        if asks {
            return Ok(Step::blocks(move |authority| {
                let (redeem, beginning) = prepare(authority)?;
                authority.answer_code(beginning, authority.redeem(redeem)?)
            }));
        }
        let (redeem, beginning) = prepare(self)?;
        let then = move |authority: &Self, redeemed| authority.answer_code(beginning, redeemed);
        Ok(Step::Redeems { redeem, then: Box::new(then) })
    }

    fn answer_code(&self, beginning: Beginning, redeemed: Redeemed) -> Result<IssuedTokens> {
        match self.begin(beginning, redeemed)? {
            Begun::Issued(tokens) => Ok(tokens),
            Begun::Again => Err(refused("the code was used before")),
            Begun::Gone => Err(refused("the user is no longer logged in")),
        }
    }
}

fn allowed_by(code: &Code) -> Result<Allowed<'_>> {
    let unreadable = |what: &str| Error::new(ErrorKind::Internal, format!("a code with a malformed {what}"));
    let thumbprint = |jkt: &str| Thumbprint::parse(jkt).ok_or_else(|| unreadable("thumbprint"));
    Ok(Allowed {
        session_id: &code.session_id,
        user_id: &code.user_id,
        password_epoch: code.password_epoch,
        browser_session_id: &code.browser_session_id,
        browser_idle_expires_at: Some(Timestamp(code.browser_idle_expires_at)),
        auth_time: Timestamp(code.auth_time),
        amr: &code.amr,
        scope: ScopeSet::parse(&code.scope).map_err(|_| unreadable("scope"))?,
        audience: &code.audience,
        nonce: code.nonce.as_deref(),
        dpop_jkt: code.dpop_jkt.as_deref().map(thumbprint).transpose()?,
        id_token_claims: &code.id_token_claims,
        userinfo_claims: &code.userinfo_claims,
    })
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
