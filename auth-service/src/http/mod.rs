//! The HTTP protocol: unpack a request, call the authority, repack the answer. A file bears the name
//! of what it serves. HTTP/1.1 only, plain or over TLS: a proxy in front can offer HTTP/2.

mod account;
mod body;
mod browser;
mod caching;
mod connections;
mod described;
mod form;
mod health;
mod login;
mod metadata;
mod oauth;
mod openapi;
mod pages;
mod published;
mod refusal;
mod root;
mod sender;
mod simplejwt;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use service_kit::client_certificates::ClientCertificates;
use service_kit::client_ip::TrustedProxies;
use service_kit::run::HTTP_DRAIN_SECONDS;
use service_kit::tls::ServerTls;
use tokio::sync::Mutex;

use browser::Browsers;
use connections::{LongPolls, note_connection};
use login::cookies::LoginCookies;
use pages::Brand;
use sender::{certificate, client_ip, context, sender_proof};

use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::settings::Settings;

pub use account::account_error;
pub use oauth::errors::oauth_error;
pub use simplejwt::errors::simplejwt_error;

/// What every handler works with.
#[derive(Clone)]
pub struct HttpState {
    pub authority: Arc<Authority>,
    pub blocking: Blocking,
    /// Whether simplejwt's endpoints are served.
    pub simplejwt: bool,
    /// Whether the description of the endpoints is served.
    docs: bool,
    /// What a login at them calls the name.
    username_field: Arc<str>,
    /// Words before a token in `Authorization`; the first one is in the challenge of a 401.
    header_types: Arc<[String]>,
    /// `WWW-Authenticate` of simplejwt's endpoints.
    challenge: HeaderValue,
    proxies: TrustedProxies,
    /// Which certificates clients may show.
    certificates: ClientCertificates,
    browsers: Browsers,
    /// How the pages look.
    brand: Arc<Brand>,
    login_cookies: LoginCookies,
    /// The path of the issuer.
    base: Arc<str>,
    /// Answers that may be held back at one time.
    long_polls: LongPolls,
    /// Held by anyone who makes the document of revocations again.
    making_document: Arc<Mutex<()>>,
    /// `Cache-Control` of whatever names keys.
    names_keys: HeaderValue,
}

impl HttpState {
    /// # Errors
    /// In one line: the logo cannot be read.
    pub fn new(
        authority: Arc<Authority>,
        blocking: Blocking,
        settings: &Settings,
        certificates: ClientCertificates,
    ) -> std::result::Result<Self, String> {
        let (simplejwt, proxies) = (settings.simplejwt.enabled, settings.trusted_proxies.clone());
        let header_types: Arc<[String]> = settings.simplejwt.header_types().into();
        let challenge = header_types.first().map_or("Bearer", String::as_str);
        // The setting holds letters, digits and dashes.
        let challenge = HeaderValue::from_str(&format!("{challenge} realm=\"api\""));
        let challenge = challenge.unwrap_or_else(|_| HeaderValue::from_static("Bearer realm=\"api\""));
        let names_keys = caching::public_for(settings.keys.max_age());
        let base = issuer_path(&settings.issuer);
        let browsers = Browsers::new(Arc::clone(&authority), settings, base);
        let long_polls = LongPolls::new(MAX_LONG_POLLS, MAX_LONG_POLLS_OF_ONE);
        let making_document = Arc::default();
        Ok(Self {
            brand: Arc::new(Brand::load(&settings.pages, base)?),
            login_cookies: LoginCookies::new(settings),
            base: base.into(),
            authority,
            blocking,
            simplejwt,
            docs: settings.http.docs,
            username_field: settings.simplejwt.username_field.as_str().into(),
            header_types,
            challenge,
            proxies,
            certificates,
            browsers,
            long_polls,
            making_document,
            names_keys,
        })
    }
}

const MAX_LONG_POLLS: usize = 10_000;

/// Of one client IP: the services of a host, or of a network behind one address.
const MAX_LONG_POLLS_OF_ONE: usize = 500;

/// Time for a client to send its request line and headers (slow-header attacks).
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that an idle connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Builds the server on a listener that is bound already.
///
/// # Errors
/// Those of the operating system.
pub fn server(
    listener: TcpListener,
    tls: Option<&ServerTls>,
    state: &HttpState,
    workers: usize,
) -> std::io::Result<Server> {
    let base = issuer_path(&state.authority.issuer.url).to_owned();
    let certificates = state.certificates.clone();
    let metadata = metadata::Metadata::new(&state.authority.issuer.url, &certificates);
    let metadata = web::Data::new(metadata);
    // For the log lines of refused requests.
    let proxies = web::Data::new(state.proxies.clone());
    let browsers = service_kit::cors::shared(state.browsers.clone());
    let state = web::Data::new(state.clone());
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(service_kit::observe::observe))
            .app_data(state.clone())
            .app_data(metadata.clone())
            .app_data(proxies.clone())
            .app_data(browsers.clone())
            .configure(health::routes)
            .configure(|app| {
                metadata::routes(app, &base);
                published::routes(app, &base);
                oauth::routes(app, &base);
                login::routes(app, &base);
                pages::routes(app, &base);
                account::routes(app, &base);
                if state.simplejwt {
                    simplejwt::routes(app, &base, state.authority.simplejwt.sliding.is_some());
                }
                if state.docs {
                    openapi::routes(app, &base);
                }
                root::routes(app, &base);
            })
            .default_service(web::to(root::not_found))
    })
    .on_connect(move |connection, data| note_connection(connection, data, &certificates))
    .workers(workers)
    .worker_max_blocking_threads(1)
    .client_request_timeout(HEADER_TIMEOUT)
    .keep_alive(IDLE_TIMEOUT)
    .shutdown_timeout(HTTP_DRAIN_SECONDS)
    .tls_handshake_timeout(HEADER_TIMEOUT)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls.http_config())?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

/// The path of the issuer, under which everything but health is served.
fn issuer_path(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.find('/').map_or("", |start| &rest[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_path_is_what_stands_behind_its_host() {
        assert_eq!(issuer_path("https://auth.test"), "");
        assert_eq!(issuer_path("http://127.0.0.1:8080/signet/eu"), "/signet/eu");
    }
}
