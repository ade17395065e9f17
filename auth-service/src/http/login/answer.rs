use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};

use super::cookies::accept_language;
use crate::authority::authorize::{Answer, ClientResponse, Outcome, RecipientFault, ResponseMode, Stopped};
use crate::error::{Error, ErrorKind};
use crate::http::HttpState;
use crate::http::pages::{self, Locale, Shell, Texts, with};

/// How a response may leave for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// By a redirect.
    Redirect,
    /// By a page: the browser has just sent a form, and would hold a redirect against `form-action`.
    Page,
}

/// What the pages of one request have in common.
pub(super) struct Renderer<'a> {
    state: &'a HttpState,
    locale: Locale,
}

impl<'a> Renderer<'a> {
    /// The language that the client asks for, then that of the browser, then that of the settings.
    pub(super) fn new(request: &HttpRequest, state: &'a HttpState, ui_locales: Option<&str>) -> Self {
        let asked = ui_locales.and_then(Locale::first_of);
        let locale = asked.or_else(|| Locale::first_of(accept_language(request)));
        Self { state, locale: locale.unwrap_or(state.brand.default_locale) }
    }

    pub(super) fn shell(&self) -> Shell<'_> {
        Shell { locale: self.locale, brand: &self.state.brand }
    }

    pub(super) fn texts(&self) -> &'static Texts {
        self.locale.texts()
    }

    pub(super) fn action(&self, path: &str) -> String {
        format!("{}{path}", self.state.base)
    }

    /// A page with a title and some lines.
    pub(super) fn message(
        &self,
        status: StatusCode,
        title: &str,
        lines: &[&str],
        detail: Option<String>,
    ) -> HttpResponse {
        let page = pages::Message { shell: &self.shell(), title, lines: lines.to_vec(), detail };
        pages::page(status, &page)
    }

    /// What went wrong here, not there: the user can do nothing but try again.
    pub(super) fn failed(&self, error: &Error) -> HttpResponse {
        let t = self.texts();
        let is_defect = error.kind == ErrorKind::Internal;
        let status =
            if is_defect { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut response = if let ErrorKind::TooManyAttempts(seconds) = error.kind {
            let line = with(t.too_many, &seconds.to_string());
            self.message(StatusCode::TOO_MANY_REQUESTS, t.stopped, &[&line], None)
        } else {
            self.message(status, t.unavailable, &[t.unavailable_hint], None)
        };
        note_refusal(&mut response, error);
        response
    }

    /// Leads the browser on to the client by a page.
    pub(super) fn go_on(&self, location: String, host: &str) -> HttpResponse {
        let t = self.texts();
        pages::leaving(&pages::GoOn { shell: &self.shell(), t, location, to: with(t.go_on_to, host) })
    }

    fn to_client(&self, response: ClientResponse, leave: Leave) -> HttpResponse {
        match (response.recipient.mode(), leave) {
            (ResponseMode::FormPost, _) => self.form_post(response),
            (ResponseMode::Query, Leave::Redirect) => see_other(&response.location()),
            (ResponseMode::Query, Leave::Page) => self.go_on(response.location(), response.recipient.host()),
        }
    }

    fn form_post(&self, response: ClientResponse) -> HttpResponse {
        let t = self.texts();
        let page = pages::FormPost {
            shell: &self.shell(),
            t,
            script: &self.state.brand.script,
            location: response.recipient.redirect_uri().to_owned(),
            to: with(t.go_on_to, response.recipient.host()),
            parameters: response.parameters,
        };
        pages::form_post(&page)
    }

    pub(super) fn stopped(&self, stopped: Stopped) -> HttpResponse {
        let t = self.texts();
        let (line, detail) = match stopped {
            Stopped::UnreadablePage => (t.stopped_page, None),
            Stopped::Recipient(fault) => {
                let (line, detail) = match fault {
                    RecipientFault::NoClient => (t.stopped_client, "client_id is missing"),
                    RecipientFault::UnknownClient => {
                        (t.stopped_client, "no enabled client has this client_id")
                    }
                    RecipientFault::NoRedirectUri => (t.stopped_redirect, "redirect_uri is missing"),
                    RecipientFault::UnregisteredRedirectUri => {
                        (t.stopped_redirect, "redirect_uri is not registered for this client, byte by byte")
                    }
                    RecipientFault::Malformed => {
                        (t.stopped_request, "client_id or redirect_uri is repeated or longer than 4 KiB")
                    }
                };
                (line, Some(with(t.for_operators, detail)))
            }
        };
        self.message(StatusCode::BAD_REQUEST, t.stopped, &[line, t.go_back], detail)
    }
}

/// Turns what a use case answered into a response, with the cookies that go with it.
pub(super) fn respond(
    request: &HttpRequest,
    state: &HttpState,
    answer: Result<Answer, Error>,
    leave: Leave,
) -> HttpResponse {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Renderer::new(request, state, None).failed(&error),
    };
    let renderer = Renderer::new(request, state, answer.ui_locales.as_deref());
    let mut response = match answer.outcome {
        Outcome::ToClient(to) => renderer.to_client(to, leave),
        Outcome::Page(page) => renderer.page(page),
    };
    state.login_cookies.set(&mut response, answer.tickets.as_ref(), answer.binding.as_ref());
    if let Some(refused) = &answer.refused {
        note_refusal(&mut response, refused);
    }
    response
}

/// Logs an error, or leaves it to the line of the request, and tells the browser when it may try again.
fn note_refusal(response: &mut HttpResponse, error: &Error) {
    if let Some(refusal) = error.log_or_refuse() {
        response.extensions_mut().insert(refusal);
    }
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
}

/// What was sent is no form of a page, or the page that it comes from was not made for this browser.
pub(super) fn unreadable(request: &HttpRequest, state: &HttpState) -> HttpResponse {
    Renderer::new(request, state, None).stopped(Stopped::UnreadablePage)
}

/// A redirect that is followed by GET, whatever the request was (RFC 9700 section 4.12).
pub(super) fn see_other(location: &str) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header(("Referrer-Policy", "no-referrer"));
    response.insert_header((LOCATION, location)).finish()
}
