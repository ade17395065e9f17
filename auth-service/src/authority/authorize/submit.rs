//! What users send from the pages.

use std::time::Duration;

use super::interaction::{Interaction, PasswordProved};
use super::page::{ClientShown, Page, Problem, SecondFactorPage, Stopped};
use super::request::AuthorizationRequest;
use super::response::{AuthorizeFault, Recipient};
use super::{Answer, Browser, TabLogin, is_unproved};
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::authority::sign_in::{FactorRefused, PasswordCredentials, Proof, SignedIn};
use crate::error::Result;
use crate::secret::PlainSecret;
use crate::storage::Consent;

/// How long a right password is remembered until the second factor is shown.
const FACTOR_TTL: Duration = Duration::from_secs(300);

/// A page that was sent.
pub struct Submitted {
    pub unverified_interaction: String,
    pub browser: Browser,
}

/// What a user chose on the page with the accounts.
pub enum ChosenAccount {
    Open { browser_session_id: String },
    Another,
}

/// What a page turned out to be.
enum Resumed {
    Here(Box<TabLogin>),
    /// It cannot be used: what is shown instead.
    Instead(Box<Answer>),
}

impl Authority {
    /// A username and a password from the login page.
    ///
    /// # Errors
    /// `Unavailable`, `Overloaded`, `Internal`.
    pub fn submit_password(
        &self,
        submitted: &Submitted,
        unverified_username: String,
        password: PlainSecret,
    ) -> Result<Answer> {
        self.on_page(submitted, |login| {
            let event = self.login_event(&login).tried(&unverified_username);
            let credentials = PasswordCredentials { unverified_username, password, otp: None };
            let proof = self.prove_password(&credentials, &submitted.browser.context, &event);
            let signed_in = match proof {
                Ok(Proof::Complete(signed_in)) => Ok(*signed_in),
                Ok(Proof::NeedsFactor(user)) => {
                    let interaction =
                        login.interaction.proved_password(&user.id, user.password_epoch, self.now());
                    return self.second_factor_page(&login.request.recipient, interaction, None);
                }
                Err(error) => Err(error),
            };
            let entered = credentials.unverified_username;
            self.log_in(login, signed_in, submitted, |authority, mut login, problem| {
                login.request.login_hint = Some(entered);
                login.problem = Some(problem);
                Ok(Answer::page(authority.sign_in_page(login, None)?))
            })
        })
    }

    /// A one-time password or recovery code, after the password.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn submit_factor(&self, submitted: &Submitted, code: &PlainSecret) -> Result<Answer> {
        self.on_page(submitted, |login| {
            let Some(proved) = login.interaction.proved.clone().filter(|proved| self.is_recent(proved))
            else {
                return self.begin_again(login, &submitted.browser);
            };
            let user = self.storage.find_user_by_id(&proved.user_id)?;
            let same = user.filter(|user| user.is_active() && user.password_epoch == proved.password_epoch);
            let Some(user) = same else { return self.begin_again(login, &submitted.browser) };
            let context = &submitted.browser.context;
            let event = self.login_event(&login);
            let signed_in = match self.check_second_factor(&user, Some(code), context) {
                Ok(factor) => Ok(SignedIn::after_factor(user, factor, self.now())),
                Err(FactorRefused::Wrong) => {
                    Err(self.refuse_sign_in(context, &event, Some(&user.id), "wrong one-time password"))
                }
                Err(FactorRefused::Failed(error)) => Err(error),
            };
            let (recipient, interaction) = (login.request.recipient.clone(), login.interaction.clone());
            self.log_in(login, signed_in, submitted, |authority, _, problem| {
                let problem = if problem == Problem::WrongCredentials { Problem::WrongCode } else { problem };
                authority.second_factor_page(&recipient, interaction, Some(problem))
            })
        })
    }

    /// The account that the user chose.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn submit_account(&self, submitted: &Submitted, chosen: ChosenAccount) -> Result<Answer> {
        self.on_page(submitted, |login| {
            let interaction = match chosen {
                ChosenAccount::Open { browser_session_id } => login.interaction.chose(browser_session_id),
                ChosenAccount::Another => login.interaction.with_another_account(),
            };
            self.proceed(TabLogin { interaction, ..login }, &submitted.browser)
        })
    }

    /// What the user decided about what the client asks for.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub fn submit_consent(&self, submitted: &Submitted, allows: bool) -> Result<Answer> {
        self.on_page(submitted, |login| {
            if !allows {
                return self.refuse(login.request.recipient, AuthorizeFault::AccessDenied);
            }
            let found = self.accounts_of(&submitted.browser, Some(&login.request))?;
            let Some(account) =
                login.choose(&found).filter(|_| login.interaction.browser_session_id.is_some())
            else {
                return self.begin_again(login, &submitted.browser);
            };
            let now = self.now();
            if !is_unproved(&login.request.recipient) && !self.authorize.policy.consent_ttl.is_zero() {
                let consent = Consent {
                    user_id: account.session.user_id.clone(),
                    client_id: login.request.recipient.client.id.to_string(),
                    audience: login.request.audience.clone(),
                    scope: login.request.scope.clone(),
                    granted_at: now,
                    expires_at: now.plus(self.authorize.policy.consent_ttl),
                };
                self.storage.on_behalf_of(&submitted.browser.context).remember_consent(&consent)?;
            }
            let mut situation = login.situation(Some(account), self);
            situation.progress.consented = true;
            if super::next_step(&situation) == super::NextStep::Finish {
                return self.finish(login.request, account);
            }
            // The browser session is another one by now, or has grown too old.
            self.proceed(login, &submitted.browser)
        })
    }

    /// Does what a page asks for, in the language of its login.
    fn on_page(
        &self,
        submitted: &Submitted,
        then: impl FnOnce(TabLogin) -> Result<Answer>,
    ) -> Result<Answer> {
        let login = match self.resume(submitted)? {
            Resumed::Here(login) => *login,
            Resumed::Instead(answer) => return Ok(*answer),
        };
        let ui_locales = login.request.ui_locales.clone();
        Ok(Answer { ui_locales, ..then(login)? })
    }

    /// Opens what a page sent along, and reads its request again: the client may have changed meanwhile.
    fn resume(&self, submitted: &Submitted) -> Result<Resumed> {
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
    fn begin_again(&self, login: TabLogin, browser: &Browser) -> Result<Answer> {
        let binding = match &browser.binding {
            Some(binding) => binding.clone(),
            None => PlainSecret::generate()?,
        };
        let interaction = login.interaction.begin_again(&binding);
        let login = TabLogin { interaction, problem: Some(Problem::StartedAgain), ..login };
        let is_new = browser.binding.is_none().then_some(binding);
        Ok(Answer { binding: is_new, ..self.proceed(login, browser)? })
    }

    fn is_recent(&self, proved: &PasswordProved) -> bool {
        crate::clock::Timestamp(proved.at).distance(self.now()) <= FACTOR_TTL
    }

    fn login_event(&self, login: &TabLogin) -> Event {
        let client = &login.request.recipient.client.id;
        Event::of(Action::Login).client(client.as_str()).by(Actor::Client(client.clone()))
    }

    fn second_factor_page(
        &self,
        recipient: &Recipient,
        interaction: Interaction,
        problem: Option<Problem>,
    ) -> Result<Answer> {
        let interaction = self.seal_interaction(interaction)?;
        let client = ClientShown::of(recipient);
        Ok(Answer::page(Page::SecondFactor(SecondFactorPage { client, problem, interaction })))
    }
}
