//! The description of all HTTP endpoints, at `/api/openapi.json`, and a page that shows it.

use std::collections::BTreeSet;

use actix_web::http::header::CONTENT_SECURITY_POLICY;
use actix_web::middleware::DefaultHeaders;
use actix_web::web;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::account::{self, account_error};
use super::oauth::errors::oauth_error;
use super::{health, login, metadata, oauth, published, root, simplejwt};
use crate::error::ErrorKind;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Signet",
        description = "The HTTP endpoints of the authorization server: OAuth 2.0, the endpoints of \
            djangorestframework-simplejwt, the account API, and the documents that verifiers follow.",
        license(identifier = "MIT OR Apache-2.0")
    ),
    paths(
        root::about,
        oauth::token::token,
        oauth::device::device_authorization,
        oauth::introspect::introspect,
        oauth::revoke::revoke,
        login::authorize::authorize,
        login::authorize::authorize_by_post,
        login::logout::logout,
        login::logout::logout_by_post,
        login::userinfo::userinfo,
        login::userinfo::userinfo_by_post,
        metadata::discovery,
        published::jwks,
        published::revocations,
        health::alive,
        health::ready,
        simplejwt::obtain,
        simplejwt::refresh,
        simplejwt::verify,
        simplejwt::blacklist,
        simplejwt::sliding::obtain_sliding,
        simplejwt::sliding::refresh_sliding,
        account::registration::register,
        account::registration::confirm_registration,
        account::password::ask_for_reset,
        account::password::reset_password,
        account::password::change_password,
        account::email::change_email,
        account::email::confirm_email,
        account::second_factor::begin_second_factor,
        account::second_factor::confirm_second_factor,
        account::second_factor::remove_second_factor,
        account::sessions::sessions,
        account::sessions::end_other_sessions,
        account::sessions::end_session,
        account::logins::browser_sessions,
        account::logins::end_browser_session,
        account::logins::consents,
        account::logins::withdraw_consent,
        account::profile::account_token,
        account::profile::me,
    )
)]
struct Description;

/// What the page may load, and who may frame it: nobody. The page of Swagger UI has styles in its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The description, with every error code of the tables.
fn description(base: &str) -> Value {
    let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
    document["info"]["version"] = json!(env!("CARGO_PKG_VERSION"));
    document["servers"] = json!([{"url": if base.is_empty() { "/" } else { base }}]);
    document["components"]["securitySchemes"] = json!({
        "access_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token of POST /api/account/v1/token"},
        "client": {"type": "http", "scheme": "basic", "description": "Client ID and secret (RFC 6749 section 2.3.1)"},
    });
    let mut oauth: BTreeSet<&str> = ErrorKind::ALL.into_iter().map(|kind| oauth_error(kind).1).collect();
    oauth.insert("invalid_request");
    let mut account: BTreeSet<&str> = ErrorKind::ALL.into_iter().map(|kind| account_error(kind).1).collect();
    account.insert("origin_refused");
    let schemas = &mut document["components"]["schemas"];
    schemas["OAuthProblem"]["properties"]["error"]["enum"] = json!(oauth);
    schemas["Problem"]["properties"]["code"]["enum"] = json!(account);
    schemas["SimpleJwtProblem"]["properties"]["code"]["enum"] = json!(["token_not_valid", "otp_required"]);
    document
}

/// The description itself, and a page that shows it, from the binary alone.
pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let (path, document) = (format!("{base}/api/openapi.json"), description(base));
    let page = SwaggerUi::new("/{_:.*}").config(Config::from(path.clone()));
    let policy = DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, POLICY));
    app.service(super::caching::read_only(&path, move || {
        let document = document.clone();
        async move { web::Json(document) }
    }))
    .service(web::redirect(format!("{base}/docs"), format!("{base}/docs/")))
    .service(web::scope(&format!("{base}/docs")).wrap(policy).service(page));
}
