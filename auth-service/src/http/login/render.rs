//! The pages of a login, in words.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::answer::Renderer;
use crate::authority::authorize::{ClientShown, ConsentPage, DevicePage, Page, Problem};
use crate::http::pages::{self, with};

impl Renderer<'_> {
    pub(super) fn page(&self, page: Page) -> HttpResponse {
        let (t, shell) = (self.texts(), &self.shell());
        match page {
            Page::SignIn(page) => {
                let status = status_of(page.problem);
                let action = self.action("/login/password");
                let (to, problem) =
                    (self.to(&page.client), page.problem.map(|problem| self.problem(problem)));
                let (username, interaction) = (page.username, page.interaction);
                pages::page(status, &pages::SignIn { shell, t, to, username, problem, action, interaction })
            }
            Page::SecondFactor(page) => {
                let status = status_of(page.problem);
                let problem = page.problem.map(|problem| self.problem(problem));
                let (action, interaction) = (self.action("/login/factor"), page.interaction);
                pages::page(status, &pages::SecondFactor { shell, t, problem, action, interaction })
            }
            Page::ChooseAccount(page) => {
                let (to, accounts) = (self.to(&page.client), page.accounts);
                let (action, interaction) = (self.action("/login/account"), page.interaction);
                pages::page(StatusCode::OK, &pages::Accounts { shell, t, to, accounts, action, interaction })
            }
            Page::Consent(page) => self.consent(page),
            Page::Device(page) => self.device(page),
            Page::Stopped(stopped) => self.stopped(stopped),
        }
    }

    fn consent(&self, page: ConsentPage) -> HttpResponse {
        let t = self.texts();
        let device = page.device.as_ref();
        let device_lines = device.map(|device| {
            let lines =
                [with(t.consent_device, &device.user_code), with(t.consent_device_ip, &device.client_ip)];
            lines.into_iter().take(if device.client_ip.is_empty() { 1 } else { 2 }).collect()
        });
        let consent = pages::Consent {
            shell: &self.shell(),
            t,
            signed_in_as: with(t.signed_in_as, &page.username),
            wants: with(t.consent_wants, page.client.client.display_name()),
            scopes: page.scope.iter().map(|scope| t.of_scope(scope)).collect(),
            audience: page.audience.as_deref().map(|audience| with(t.consent_audience, audience)),
            is_unproved: page.is_unproved && device.is_none(),
            sent_to: device.is_none().then(|| with(t.sent_to, &page.client.host)),
            device: device_lines.unwrap_or_default(),
            action: self.action("/login/consent"),
            interaction: page.interaction,
        };
        pages::page(StatusCode::OK, &consent)
    }

    pub(super) fn device(&self, page: DevicePage) -> HttpResponse {
        let t = self.texts();
        match page {
            DevicePage::Enter { user_code, is_wrong } => {
                let action = self.action("/device");
                let device = pages::Device { shell: &self.shell(), t, user_code, is_wrong, action };
                pages::page(if is_wrong { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &device)
            }
            DevicePage::Allowed => {
                self.message(StatusCode::OK, t.device_allowed, &[t.device_allowed_hint], None)
            }
            DevicePage::Denied => {
                self.message(StatusCode::OK, t.device_denied, &[t.device_allowed_hint], None)
            }
        }
    }

    fn to(&self, client: &ClientShown) -> String {
        with(self.texts().sign_in_to, client.client.display_name())
    }

    fn problem(&self, problem: Problem) -> String {
        let t = self.texts();
        match problem {
            Problem::WrongCredentials => t.wrong_credentials.to_owned(),
            Problem::WrongCode => t.wrong_code.to_owned(),
            Problem::TooManyAttempts(seconds) => with(t.too_many, &seconds.to_string()),
            Problem::StartedAgain => t.started_again.to_owned(),
        }
    }
}

/// Wrong credentials are no error of the protocol: the page is shown again.
fn status_of(problem: Option<Problem>) -> StatusCode {
    match problem {
        Some(Problem::TooManyAttempts(_)) => StatusCode::TOO_MANY_REQUESTS,
        Some(Problem::WrongCredentials | Problem::WrongCode) => StatusCode::UNAUTHORIZED,
        Some(Problem::StartedAgain) | None => StatusCode::OK,
    }
}
