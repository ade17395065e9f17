//! What users do for their own accounts: `/api/account/v1/`, described in OpenAPI at `/docs`.

pub(in crate::http) mod bodies;
pub(in crate::http) mod email;
pub(in crate::http) mod errors;
pub(in crate::http) mod logins;
pub(in crate::http) mod password;
pub(in crate::http) mod profile;
pub(in crate::http) mod registration;
mod request;
pub(in crate::http) mod second_factor;
pub(in crate::http) mod sessions;

use actix_web::{HttpRequest, web};

use super::refusal::not_allowed;

pub use errors::account_error;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let at = |path: &str, allowed: &'static str| {
        let other = move |request: HttpRequest| async move { not_allowed(&request, allowed) };
        web::resource(format!("{base}/api/account/v1{path}")).default_service(web::to(other))
    };
    app.service(at("/registration", "POST").route(web::post().to(registration::register)))
        .service(
            at("/registration/confirm", "POST").route(web::post().to(registration::confirm_registration)),
        )
        .service(at("/password/reset", "POST").route(web::post().to(password::ask_for_reset)))
        .service(at("/password/reset/confirm", "POST").route(web::post().to(password::reset_password)))
        .service(at("/password", "PUT").route(web::put().to(password::change_password)))
        .service(at("/email", "PUT").route(web::put().to(email::change_email)))
        .service(at("/email/confirm", "POST").route(web::post().to(email::confirm_email)))
        .service(
            at("/second-factor", "POST, DELETE")
                .route(web::post().to(second_factor::begin_second_factor))
                .route(web::delete().to(second_factor::remove_second_factor)),
        )
        .service(
            at("/second-factor/confirm", "POST").route(web::post().to(second_factor::confirm_second_factor)),
        )
        .service(
            at("/sessions", "GET, DELETE")
                .route(web::get().to(sessions::sessions))
                .route(web::delete().to(sessions::end_other_sessions)),
        )
        .service(at("/sessions/{id}", "DELETE").route(web::delete().to(sessions::end_session)))
        .service(at("/browser-sessions", "GET").route(web::get().to(logins::browser_sessions)))
        .service(at("/browser-sessions/{id}", "DELETE").route(web::delete().to(logins::end_browser_session)))
        .service(at("/consents", "GET").route(web::get().to(logins::consents)))
        .service(at("/consents/{client_id}", "DELETE").route(web::delete().to(logins::withdraw_consent)))
        .service(at("/token", "POST").route(web::post().to(profile::account_token)))
        .service(at("/me", "GET").route(web::get().to(profile::me)));
}
