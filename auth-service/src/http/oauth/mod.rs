//! The OAuth endpoints: token (RFC 6749), introspection (RFC 7662), revocation (RFC 7009).

mod client_auth;
pub(super) mod device;
pub(super) mod errors;
pub(super) mod introspect;
mod parameters;
pub(super) mod revoke;
mod target;
pub(super) mod token;
mod token_exchange;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use errors::{OAuthError, no_store};

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let endpoint = |path: &str| web::resource(format!("{base}{path}")).default_service(web::to(not_post));
    app.service(endpoint("/oauth2/token").route(web::post().to(token::token)))
        .service(endpoint("/oauth2/device_authorization").route(web::post().to(device::device_authorization)))
        .service(endpoint("/oauth2/introspect").route(web::post().to(introspect::introspect)))
        .service(endpoint("/oauth2/revoke").route(web::post().to(revoke::revoke)));
}

async fn not_post(request: HttpRequest) -> HttpResponse {
    let mut response = no_store(HttpResponse::MethodNotAllowed());
    response.insert_header(("Allow", "POST"));
    if request.method() == Method::HEAD {
        return response.finish();
    }
    response.json(OAuthError::body("invalid_request", "only POST is allowed here"))
}
