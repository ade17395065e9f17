//! The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core section 3.1): from a request to a code. Nothing is
//! stored on the way but the login of a user and what they allow.

mod answer;
mod back_end;
mod claims_parameter;
mod code;
mod device;
mod fault;
mod finish;
mod interaction;
mod log_in;
mod logout;
mod next_step;
mod page;
mod parameters;
mod prompt;
mod request;
mod response;
mod resume;
mod sealed;
mod show;
mod submit;
mod tab;

use std::time::Duration;

use crate::authority::{Authority, Step};
use crate::browser_sessions::{BrowserSessionPolicy, LiveBrowserSession, UnendedBrowserSession};
use crate::error::{Error, OAuthFault, Result};
use crate::keys::Secrets;
use crate::storage::ConsentsFor;

use device::DevicePolls;
use interaction::Interaction;
use next_step::{NextStep, next_step};
use request::AuthorizationRequest;
use sealed::SealedValues;
use tab::TabLogin;

pub use answer::{Answer, Browser, Outcome};
pub(in crate::authority) use code::Code;
pub use fault::{AuthorizeFault, RecipientFault};
pub use logout::{AwaitedNotice, Logout, LogoutAnswer, LogoutQuestion, LogoutRequest};
pub use page::{
    Account, AccountsPage, ClientShown, ConsentPage, DevicePage, Page, Problem, SecondFactorPage, SignInPage,
    Stopped,
};
pub use parameters::Parameters;
pub use response::{ClientResponse, ResponseMode, host_of};
pub use resume::Submitted;
pub use submit::ChosenAccount;

/// How long the parts of a login live.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizePolicy {
    pub code_ttl: Duration,
    pub interaction_ttl: Duration,
    pub consent_ttl: Duration,
    pub browser_sessions: BrowserSessionPolicy,
    pub device: DevicePolicy,
}

/// How devices without a browser log in.
#[derive(Debug, Clone, Copy)]
pub struct DevicePolicy {
    /// How long the user has.
    pub ttl: Duration,
    /// Between two questions of the device.
    pub interval: Duration,
}

/// Leads users from a request to a code.
pub struct AuthorizeService {
    pub policy: AuthorizePolicy,
    sealed: SealedValues,
    polls: DevicePolls,
}

impl AuthorizeService {
    #[must_use]
    pub fn new(policy: AuthorizePolicy, secrets: &Secrets) -> Self {
        Self { policy, sealed: SealedValues::new(secrets), polls: DevicePolls::new() }
    }
}

impl Authority {
    /// Answers an authorization request. A stranger's costs no database.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn authorize(&self, parameters: Parameters, browser: Browser) -> Result<Step<Answer>> {
        let recipient = match self.recipient(&parameters) {
            Ok(recipient) => recipient,
            Err(fault) => return Ok(Step::Done(Answer::page(Page::Stopped(Stopped::Recipient(fault))))),
        };
        let request = match self.authorization_request(&recipient, &parameters) {
            Ok(request) => request,
            Err(fault) => {
                return Ok(Step::Done(Answer::to_client(recipient.refuse(&self.issuer.url, fault))));
            }
        };
        let binding = browser.bind()?;
        let login = TabLogin {
            interaction: Interaction::begin(&parameters, &binding.secret),
            request,
            problem: None,
        };
        let browser = Browser { binding: Some(binding.secret), ..browser };
        let has_nobody = browser.tickets.is_empty();
        let finish = move |authority: &Self| {
            let answer = authority.proceed(login, &browser)?;
            Ok(Answer { binding: binding.to_set, ..answer })
        };
        if has_nobody { finish(self).map(Step::Done) } else { Ok(Step::blocks(finish)) }
    }

    /// One step on: the next page, or the answer to the client.
    fn proceed(&self, login: TabLogin, browser: &Browser) -> Result<Answer> {
        let found = self.accounts_of(browser, Some(&login.request))?;
        let chosen = login.choose(&found);
        let step = match login.interaction.wants_another_account {
            true => NextStep::SignIn,
            false => next_step(&login.situation(chosen, self)),
        };
        let ui_locales = login.request.ui_locales.clone();
        let answer = match (step, chosen) {
            (NextStep::Refuse(fault), _) => self.refuse(login.request.recipient, fault)?,
            (NextStep::Finish, Some(account)) => self.finish(login.request, account)?,
            (NextStep::Consent, Some(account)) => Answer::page(self.consent_page(login, account)?),
            (NextStep::ChooseAccount, _) => Answer::page(self.accounts_page(login, &found)?),
            (NextStep::SignIn | NextStep::Finish | NextStep::Consent, _) => {
                Answer::page(self.sign_in_page(login, chosen)?)
            }
        };
        Ok(Answer { ui_locales, ..answer })
    }

    /// The accounts of a browser that are live, in its order.
    fn accounts_of(
        &self,
        browser: &Browser,
        request: Option<&AuthorizationRequest>,
    ) -> Result<Vec<LiveBrowserSession>> {
        if browser.tickets.is_empty() {
            return Ok(Vec::new());
        }
        let asked = request
            .map(|request| ConsentsFor { client: &request.recipient.client.id, audience: &request.audience });
        let ids = browser.tickets.unverified_ids();
        let found = self.storage.live_browser_sessions(&ids, asked, self.now())?;
        Ok(browser.tickets.proved(found, |live| (&live.session.id, &live.session.secret)))
    }

    /// Those of a browser that have not ended, in its order.
    fn unended_of(&self, browser: &Browser) -> Result<Vec<UnendedBrowserSession>> {
        if browser.tickets.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.storage.unended_browser_sessions(&browser.tickets.unverified_ids(), self.now())?;
        Ok(browser.tickets.proved(found, |unended| (&unended.id, &unended.secret)))
    }

    fn seal_interaction(&self, interaction: Interaction) -> Result<String> {
        let service = &self.authorize;
        service.sealed.seal(interaction, self.now().plus(service.policy.interaction_ttl))
    }

    /// What a code holds, if it was issued here and has not expired.
    ///
    /// # Errors
    /// `OAuth(InvalidGrant)`.
    pub(in crate::authority) fn open_code(&self, unverified: &str) -> Result<Code> {
        let refused = |hint| Error::new(OAuthFault::InvalidGrant(hint), hint);
        let opened = self.authorize.sealed.open::<Code>(unverified, self.now());
        let opened = opened.map_err(|_| refused("the code is not valid"))?;
        if opened.is_expired { Err(refused("the code has expired")) } else { Ok(opened.content) }
    }
}
