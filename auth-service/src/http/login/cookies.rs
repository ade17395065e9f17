use std::time::Duration;

use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{ACCEPT_LANGUAGE, ORIGIN};
use actix_web::{HttpRequest, HttpResponse};

use crate::authority::authorize::Browser;
use crate::browser_sessions::Tickets;
use crate::http::{HttpState, context};
use crate::secret::PlainSecret;
use crate::settings::Settings;

/// How long a browser keeps what its pages are bound to. All its tabs share it, so it must outlive the page that is opened last.
const BINDING_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// The cookies of a browser. Over TLS their names have the prefix `__Host-`: no other host of the site can plant one
/// (RFC 6265bis section 4.1.3.2). Without TLS, on this machine, there is no such protection to be had.
#[derive(Debug, Clone)]
pub(in crate::http) struct LoginCookies {
    sessions: &'static str,
    binding: &'static str,
    is_secure: bool,
    lifetime: Duration,
}

impl LoginCookies {
    pub(in crate::http) fn new(settings: &Settings) -> Self {
        let is_secure = settings.issuer.starts_with("https://");
        let names = match is_secure {
            true => ("__Host-signet", "__Host-signet-pages"),
            false => ("signet", "signet-pages"),
        };
        Self { sessions: names.0, binding: names.1, is_secure, lifetime: settings.browser_sessions.absolute }
    }

    fn cookie(&self, name: &'static str, value: &str, lifetime: Duration) -> Cookie<'static> {
        Cookie::build(name, value.to_owned())
            .path("/")
            .secure(self.is_secure)
            .http_only(true)
            // Sent when another site leads here, not when it sends a form.
            .same_site(SameSite::Lax)
            .max_age(CookieDuration::seconds(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX)))
            .finish()
    }

    pub(super) fn set(
        &self,
        response: &mut HttpResponse,
        tickets: Option<&Tickets>,
        binding: Option<&PlainSecret>,
    ) {
        let sessions = tickets.map(|tickets| {
            let lifetime = if tickets.is_empty() { Duration::ZERO } else { self.lifetime };
            self.cookie(self.sessions, tickets.to_value().expose(), lifetime)
        });
        let binding = binding.map(|binding| self.cookie(self.binding, binding.expose(), BINDING_LIFETIME));
        for cookie in sessions.into_iter().chain(binding) {
            // It fails for a value that no header can hold: these are base64url.
            let _ = response.add_cookie(&cookie);
        }
    }
}

/// The browser of a request that anyone may have led here.
pub(super) fn browser(request: &HttpRequest, state: &HttpState) -> Browser {
    let value = |name: &str| request.cookie(name).map(|cookie| cookie.value().to_owned());
    let cookies = &state.login_cookies;
    Browser {
        tickets: value(cookies.sessions).map(|value| Tickets::parse(&value)).unwrap_or_default(),
        binding: value(cookies.binding).filter(|value| value.len() == 43).map(PlainSecret::new),
        context: context(request, &state.proxies),
    }
}

/// The browser of a form that a page of ours sent; `None` for one of another site (cross-site request forgery), which is told to
/// start again and changes nothing.
pub(super) fn browser_of_form(request: &HttpRequest, state: &HttpState) -> Option<Browser> {
    is_from_here(request, state).then(|| browser(request, state))
}

/// Browsers say where a form comes from, and no script can change it.
fn is_from_here(request: &HttpRequest, state: &HttpState) -> bool {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    match header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header(ORIGIN.as_str()).is_none_or(|origin| state.browsers.is_own(origin)),
    }
}

/// The languages that the browser asks for.
pub(super) fn accept_language(request: &HttpRequest) -> &str {
    request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
