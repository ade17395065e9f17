use super::Answer;
use super::code::{Code, hash};
use super::fault::AuthorizeFault;
use super::request::AuthorizationRequest;
use super::response::Recipient;
use crate::authority::Authority;
use crate::browser_sessions::LiveBrowserSession;
use crate::error::Result;
use crate::sessions::Session;

impl Authority {
    /// The end of a login: a code, for which nothing is stored, or the decision about a device.
    pub(super) fn finish(
        &self,
        request: AuthorizationRequest,
        account: &LiveBrowserSession,
    ) -> Result<Answer> {
        if let Some(device) = request.recipient.device() {
            return self.allow_device(&device.user_code, account);
        }
        let now = self.now();
        let session = &account.session;
        let code = Code {
            session_id: Session::new_id(now),
            client_id: request.recipient.client.id.to_string(),
            redirect_uri_hash: hash(request.recipient.redirect_uri().as_bytes()),
            challenge: request.challenge,
            dpop_jkt: request.dpop_jkt.map(|key| key.to_string()),
            nonce: request.nonce,
            scope: request.scope.to_string(),
            audience: request.audience,
            id_token_claims: request.claims.id_token,
            userinfo_claims: request.claims.userinfo,
            user_id: session.user_id.clone(),
            password_epoch: account.password_epoch,
            browser_session_id: session.id.clone(),
            browser_idle_expires_at: session.idle_expires_at.0,
            auth_time: session.auth_time.0,
            amr: session.amr.clone(),
        };
        let service = &self.authorize;
        let code = service.sealed.seal(code, now.plus(service.policy.code_ttl))?;
        Ok(Answer::to_client(request.recipient.answer(&self.issuer.url, vec![("code", code)])))
    }

    /// The end of a login that does not succeed.
    pub(super) fn refuse(&self, recipient: Recipient, fault: AuthorizeFault) -> Result<Answer> {
        match recipient.device() {
            Some(device) => self.deny_device(&device.user_code),
            None => Ok(Answer::to_client(recipient.refuse(&self.issuer.url, fault))),
        }
    }
}
