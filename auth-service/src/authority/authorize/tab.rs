use super::interaction::Interaction;
use super::next_step::{Candidate, Situation};
use super::page::Problem;
use super::request::AuthorizationRequest;
use super::response::Recipient;
use crate::authority::Authority;
use crate::browser_sessions::LiveBrowserSession;

/// The login that is under way in one tab.
pub(super) struct TabLogin {
    pub request: AuthorizationRequest,
    pub interaction: Interaction,
    pub problem: Option<Problem>,
}

impl TabLogin {
    /// The account that would be used: the one that was chosen or begun on these pages, or that the client names, or the latest.
    pub(super) fn choose<'a>(&self, found: &'a [LiveBrowserSession]) -> Option<&'a LiveBrowserSession> {
        if let Some(id) = &self.interaction.browser_session_id {
            return found.iter().find(|live| live.session.id == *id);
        }
        let request = &self.request;
        let hinted = request.hinted_user.as_ref();
        if let Some(live) = found.iter().find(|live| hinted == Some(&live.session.user_id)) {
            return Some(live);
        }
        let named = request.login_hint.as_ref();
        found.iter().find(|live| named == Some(&live.username)).or(found.first())
    }

    pub(super) fn situation<'a>(
        &'a self,
        chosen: Option<&'a LiveBrowserSession>,
        authority: &Authority,
    ) -> Situation<'a> {
        let request = &self.request;
        let candidate = |live: &'a LiveBrowserSession| Candidate {
            user_id: &live.session.user_id,
            auth_time: live.session.auth_time,
            acr: live.session.acr(),
            is_consented: is_consented(request, live),
        };
        Situation {
            prompt: request.prompt,
            max_age: request.max_age,
            acr: &request.acr,
            hinted_user: request.hinted_user.as_deref(),
            session: chosen.map(candidate),
            progress: self.interaction.done(),
            now: authority.now(),
        }
    }
}

/// Whether the user does not have to be asked. Of a client that anybody can claim to be, they always are (RFC 8252 section 8.6).
fn is_consented(request: &AuthorizationRequest, live: &LiveBrowserSession) -> bool {
    if is_unproved(&request.recipient) {
        return false;
    }
    let is_first_party = request.recipient.client.login.first_party;
    is_first_party || live.consented.as_ref().is_some_and(|given| request.allowed_scope.is_subset(given))
}

/// Whether another program on the user's machine, or another device, could say that it is this client and take the answer.
pub(super) fn is_unproved(recipient: &Recipient) -> bool {
    recipient.device().is_some()
        || (recipient.client.is_public() && !recipient.redirect_uri().starts_with("https://"))
}
