//! A page that comes back: the login that it belongs to, or what is shown instead.

use super::interaction::Interaction;
use super::page::{Page, Problem, Stopped};
use super::request::AuthorizationRequest;
use super::tab::TabLogin;
use super::{Answer, Browser};
use crate::authority::Authority;
use crate::error::Result;

/// A page that was sent.
pub struct Submitted {
    pub unverified_interaction: String,
    pub browser: Browser,
}

/// What a page turned out to be.
pub(super) enum Resumed {
    Here(Box<TabLogin>),
    /// It cannot be used: what is shown instead.
    Instead(Box<Answer>),
}

impl Authority {
    /// Opens what a page sent along, and reads its request again: the client may have changed meanwhile.
    pub(super) fn resume(&self, submitted: &Submitted) -> Result<Resumed> {
        let now = self.now();
        let sealed = &self.authorize.sealed;
        let Ok(opened) = sealed.open::<Interaction>(&submitted.unverified_interaction, now) else {
            return Ok(Resumed::Instead(Box::new(Answer::page(Page::Stopped(Stopped::UnreadablePage)))));
        };
        let request = match self.request_of(&opened.content)? {
            Ok(request) => request,
            Err(answer) => return Ok(Resumed::Instead(answer)),
        };
        let login = TabLogin { request, interaction: opened.content, problem: None };
        if opened.is_expired || !login.interaction.is_of(submitted.browser.binding.as_ref()) {
            return self.begin_again(login, &submitted.browser).map(Box::new).map(Resumed::Instead);
        }
        Ok(Resumed::Here(Box::new(login)))
    }

    /// The request that a page belongs to, or what is shown instead.
    fn request_of(
        &self,
        interaction: &Interaction,
    ) -> Result<std::result::Result<AuthorizationRequest, Box<Answer>>> {
        if let Some(user_code) = &interaction.device {
            return self.device_request_of(user_code);
        }
        let parameters = interaction.parameters();
        let recipient = match self.recipient(&parameters) {
            Ok(recipient) => recipient,
            Err(fault) => {
                return Ok(Err(Box::new(Answer::page(Page::Stopped(Stopped::Recipient(fault))))));
            }
        };
        let request = self.authorization_request(&recipient, &parameters);
        Ok(request.map_err(|fault| Box::new(Answer::to_client(recipient.refuse(&self.issuer.url, fault)))))
    }

    /// The same request from its beginning, in the browser that it is in now, and nothing that was sent is looked at.
    pub(super) fn begin_again(&self, login: TabLogin, browser: &Browser) -> Result<Answer> {
        let binding = browser.bind()?;
        let interaction = login.interaction.begin_again(&binding.secret);
        let login = TabLogin { interaction, problem: Some(Problem::StartedAgain), ..login };
        Ok(Answer { binding: binding.to_set, ..self.proceed(login, browser)? })
    }
}
