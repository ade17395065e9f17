//! What users send from the pages.

use std::time::Duration;

use super::Answer;
use super::fault::AuthorizeFault;
use super::interaction::{Interaction, PasswordProved};
use super::page::{ClientShown, Page, Problem, SecondFactorPage};
use super::response::Recipient;
use super::resume::{Resumed, Submitted};
use super::tab::{TabLogin, is_unproved};
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::authority::sign_in::{FactorRefused, PasswordCredentials, Proof, SignedIn};
use crate::error::Result;
use crate::secret::PlainSecret;
use crate::storage::Consent;

/// How long a right password is remembered until the second factor is shown.
const FACTOR_TTL: Duration = Duration::from_secs(300);

/// What a user chose on the page with the accounts.
pub enum ChosenAccount {
    Open { browser_session_id: String },
    Another,
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
                Ok(factor) => {
                    let known = self.known_network_of(&user, context);
                    Ok(SignedIn::after_factor(user, factor, self.now(), known))
                }
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
                    scope: login.request.allowed_scope.clone(),
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
