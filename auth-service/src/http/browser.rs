//! Browser applications: which origins may call, and the refresh token in a cookie that scripts cannot read.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::ORIGIN;
use service_kit::cors::{CorsPolicy, Origins, parse_origin};

use crate::authority::Authority;
use crate::settings::Settings;

/// The prefix makes browsers accept it over TLS (or from this machine) alone, for this host alone, and for every path
/// (RFC 6265bis section 4.1.3.2): no other host of the site can plant one.
const COOKIE: &str = "__Host-signet-refresh";

/// What is known of browser applications.
#[derive(Clone)]
pub(super) struct Browsers {
    authority: Arc<Authority>,
    /// From the settings; clients have more.
    origins: Origins,
    /// That of the issuer itself: pages that it serves, or a proxy serves beside it.
    own_origin: String,
    /// Where browsers send the cookie, if there is one.
    cookie_paths: [String; 2],
    /// How long a browser keeps the cookie; `None` when refresh tokens are in the body.
    cookie_lifetime: Option<Duration>,
}

/// Where a refresh token is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// The client, which finds it in the body.
    Client,
    /// The browser, in a cookie.
    Browser,
}

/// A page of this origin may not use the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OriginRefused;

impl Browsers {
    pub(super) fn new(authority: Arc<Authority>, settings: &Settings, base: &str) -> Self {
        let lifetime = settings.simplejwt.refresh_cookie.then_some(settings.tokens.refresh_idle_ttl);
        Self {
            authority,
            origins: settings.http.cors_allowed_origins.clone(),
            own_origin: origin_of(&settings.issuer),
            cookie_paths: [format!("{base}/api/token/"), format!("{base}/api/account/v1/token")],
            cookie_lifetime: lifetime,
        }
    }

    /// Who holds the refresh token of a request. Browsers name the origin of each POST and no script can change it: who
    /// names none is no browser, and gets it in the body.
    ///
    /// # Errors
    /// [`OriginRefused`]: another site must neither use a cookie nor set one (cross-site request forgery).
    pub(super) fn holder(&self, request: &HttpRequest) -> Result<Holder, OriginRefused> {
        let (Some(_), Some(origin)) = (self.cookie_lifetime, request.headers().get(ORIGIN)) else {
            return Ok(Holder::Client);
        };
        let origin = origin.to_str().map_err(|_| OriginRefused)?;
        if origin == self.own_origin || self.allows(origin) {
            Ok(Holder::Browser)
        } else {
            Err(OriginRefused)
        }
    }

    /// Whether an origin is that of the issuer.
    pub(super) fn is_own(&self, origin: &str) -> bool {
        origin == self.own_origin
    }

    /// The refresh token in the cookie of a request, for which [`Self::holder`] has returned [`Holder::Browser`].
    pub(super) fn refresh_token(&self, request: &HttpRequest) -> Option<String> {
        let cookie = request.cookie(COOKIE)?;
        Some(cookie.value().to_owned()).filter(|token| !token.is_empty())
    }

    pub(super) fn cookie(&self, refresh_token: &str) -> Cookie<'static> {
        let lifetime = self.cookie_lifetime.unwrap_or_default().as_secs();
        self.with_lifetime(refresh_token, i64::try_from(lifetime).unwrap_or(i64::MAX))
    }

    pub(super) fn removal(&self) -> Cookie<'static> {
        self.with_lifetime("", 0)
    }

    fn with_lifetime(&self, value: &str, seconds: i64) -> Cookie<'static> {
        Cookie::build(COOKIE, value.to_owned())
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Strict)
            .max_age(CookieDuration::seconds(seconds))
            .finish()
    }
}

impl CorsPolicy for Browsers {
    fn is_in_use(&self) -> bool {
        !self.origins.is_empty() || self.authority.clients.has_cors_origins()
    }

    fn allows(&self, origin: &str) -> bool {
        self.origins.contains(origin) || self.authority.clients.has_cors_origin(origin)
    }

    fn allows_credentials(&self, path: &str) -> bool {
        self.cookie_lifetime.is_some() && self.cookie_paths.iter().any(|known| path.starts_with(known))
    }
}

/// The origin of the issuer's URL; the URL itself if it has none that a browser could name.
fn origin_of(issuer: &str) -> String {
    let path = super::issuer_path(issuer);
    let without_path = issuer.strip_suffix(path).unwrap_or(issuer);
    parse_origin(without_path).unwrap_or_else(|_| issuer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_an_issuer_has_no_path_and_no_default_port() {
        assert_eq!(origin_of("https://auth.test:443/signet/eu"), "https://auth.test");
        assert_eq!(origin_of("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
    }
}
