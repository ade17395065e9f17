use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Browser;
use super::code::hash;
use super::response::with_parameters;
use super::sealed::Kind;
use crate::audit::Actor;
use crate::authority::Authority;
use crate::browser_sessions::{Tickets, UnendedBrowserSession, sid};
use crate::clients::{Client, ClientId};
use crate::error::Result;
use crate::secret::PlainSecret;

/// A request to end a browser session (OpenID Connect RP-Initiated Logout section 2), as it came and unproved.
#[derive(Debug, Clone, Default)]
pub struct LogoutRequest {
    pub id_token_hint: Option<String>,
    pub client_id: Option<String>,
    pub post_logout_redirect_uri: Option<String>,
    pub state: Option<String>,
    pub ui_locales: Option<String>,
}

/// What becomes of it.
#[derive(Debug)]
pub enum Logout {
    /// Back to the client.
    Redirect(String),
    /// The user decides: the request does not prove that it comes from a client at which this browser is logged in.
    Ask(LogoutQuestion),
    Done,
}

#[derive(Debug, Clone)]
pub struct LogoutQuestion {
    pub username: String,
    pub client: Option<Arc<Client>>,
    pub interaction: String,
}

/// What a browser gets.
#[derive(Debug)]
pub struct LogoutAnswer {
    pub outcome: Logout,
    /// The accounts that are logged in now, where that has changed.
    pub tickets: Option<Tickets>,
    /// The notice to the client that the browser goes back to.
    pub awaited: Option<AwaitedNotice>,
    /// For a browser that has none.
    pub binding: Option<PlainSecret>,
    pub ui_locales: Option<String>,
}

/// A logout notice that a browser waits for.
#[derive(Debug, Clone)]
pub struct AwaitedNotice {
    pub client_id: ClientId,
    pub browser_session_id: String,
}

/// What the page of the question sends back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pending {
    browser_hash: String,
    browser_session_id: String,
    location: Option<String>,
    /// The client of the location.
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    ui_locales: Option<String>,
}

impl Kind for Pending {
    const NAME: &'static str = "logout 1";
}

impl Authority {
    /// Ends the browser session that a client asks to end, or asks the user. The cookie says which session it is: an ID token
    /// is no secret, and must not log anybody out who is not in front of this browser.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn request_logout(&self, request: LogoutRequest, browser: &Browser) -> Result<LogoutAnswer> {
        let hint = request.id_token_hint.as_deref().and_then(|hint| self.read_id_token_hint(hint));
        let client = self.client_of_logout(&request, hint.as_ref().map(|hint| hint.aud.as_str()));
        let location = client.as_deref().and_then(|client| location(client, &request));
        let held = self.unended_of(browser)?;
        let answer =
            |outcome| LogoutAnswer { ui_locales: request.ui_locales.clone(), ..LogoutAnswer::of(outcome) };
        let matches = |held: &&UnendedBrowserSession| {
            let Some(hint) = &hint else { return false };
            let of_client = ClientId::parse(&hint.aud).map(|client| sid(&held.id, &client));
            hint.sub == held.user_id && hint.sid == of_client
        };
        if let Some(hinted) = held.iter().find(matches) {
            let answer = answer(location.map_or(Logout::Done, Logout::Redirect));
            return self.end_in_browser(hinted, browser, client.map(|client| client.id.clone()), answer);
        }
        let is_proved = hint.is_some() && client.is_some();
        let Some(first) = held.first() else {
            // Logged out before: the client goes on.
            let outcome = location.filter(|_| is_proved).map_or(Logout::Done, Logout::Redirect);
            return Ok(answer(outcome));
        };
        let binding = browser.bind()?;
        let pending = Pending {
            browser_hash: hash(binding.secret.expose().as_bytes()),
            browser_session_id: first.id.clone(),
            location,
            client_id: client.as_ref().map(|client| client.id.to_string()),
            ui_locales: request.ui_locales.clone(),
        };
        let expires_at = self.now().plus(self.authorize.policy.interaction_ttl);
        let question = LogoutQuestion {
            username: first.username.clone(),
            client,
            interaction: self.authorize.sealed.seal(pending, expires_at)?,
        };
        Ok(LogoutAnswer { binding: binding.to_set, ..answer(Logout::Ask(question)) })
    }

    /// The user has confirmed it.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn confirm_logout(&self, unverified_interaction: &str, browser: &Browser) -> Result<LogoutAnswer> {
        let opened = self.authorize.sealed.open::<Pending>(unverified_interaction, self.now());
        let hashed = browser.binding.as_ref().map(|binding| hash(binding.expose().as_bytes()));
        let pending = opened.ok().filter(|opened| !opened.is_expired).map(|opened| opened.content);
        let pending = pending.filter(|pending| hashed.as_deref() == Some(pending.browser_hash.as_str()));
        let Some(pending) = pending else {
            // Too old, or of another browser: asked again.
            return self.request_logout(LogoutRequest::default(), browser);
        };
        let held = self.unended_of(browser)?;
        let asked = held.iter().find(|held| held.id == pending.browser_session_id);
        let answer = LogoutAnswer::of(pending.location.map_or(Logout::Done, Logout::Redirect));
        let answer = LogoutAnswer { ui_locales: pending.ui_locales, ..answer };
        match asked {
            Some(asked) => {
                let client_id = pending.client_id.as_deref().and_then(ClientId::parse);
                self.end_in_browser(asked, browser, client_id, answer)
            }
            None => Ok(answer),
        }
    }

    /// Ends a browser session that its own browser asks to end.
    fn end_in_browser(
        &self,
        held: &UnendedBrowserSession,
        browser: &Browser,
        client_id: Option<ClientId>,
        answer: LogoutAnswer,
    ) -> Result<LogoutAnswer> {
        let by = Actor::User(held.user_id.clone());
        let storage = self.storage.on_behalf_of(&browser.context);
        self.apply_ended(storage.end_browser_session(&held.id, Some(by), self.browser_end())?);
        let tickets = browser.tickets.clone().without(&held.id);
        let goes_back = matches!(answer.outcome, Logout::Redirect(_));
        let awaited = client_id
            .filter(|_| goes_back)
            .map(|client_id| AwaitedNotice { client_id, browser_session_id: held.id.clone() });
        Ok(LogoutAnswer { tickets: Some(tickets), awaited, ..answer })
    }

    /// The client that an ID token was issued to, or that names itself; they must be the same.
    fn client_of_logout(&self, request: &LogoutRequest, hinted: Option<&str>) -> Option<Arc<Client>> {
        let named = request.client_id.as_deref();
        if hinted.is_some() && named.is_some() && hinted != named {
            return None;
        }
        let id = ClientId::parse(hinted.or(named)?)?;
        self.clients.enabled(&id)
    }
}

impl LogoutAnswer {
    fn of(outcome: Logout) -> Self {
        Self { outcome, tickets: None, awaited: None, binding: None, ui_locales: None }
    }
}

/// Where the browser goes, with the state of the client; only to what is registered, byte by byte.
fn location(client: &Client, request: &LogoutRequest) -> Option<String> {
    let asked = request.post_logout_redirect_uri.as_deref()?;
    let is_registered = client.login.post_logout_redirect_uris.iter().any(|known| known.matches(asked));
    is_registered.then(|| match &request.state {
        None => asked.to_owned(),
        Some(state) => with_parameters(asked, [("state", state)]),
    })
}
