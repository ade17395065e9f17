//! What users do for their own accounts: `/api/account/v1/`, described in OpenAPI at `/docs`.

mod bodies;
mod email;
mod errors;
mod openapi;
mod password;
mod profile;
mod registration;
mod request;
mod second_factor;
mod sessions;

use actix_web::web;

pub use errors::account_error;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let at = |path: &str| web::resource(format!("{base}/api/account/v1{path}"));
    app.service(at("/registration").route(web::post().to(registration::register)))
        .service(at("/registration/confirm").route(web::post().to(registration::confirm_registration)))
        .service(at("/password/reset").route(web::post().to(password::ask_for_reset)))
        .service(at("/password/reset/confirm").route(web::post().to(password::reset_password)))
        .service(at("/password").route(web::put().to(password::change_password)))
        .service(at("/email").route(web::put().to(email::change_email)))
        .service(at("/email/confirm").route(web::post().to(email::confirm_email)))
        .service(
            at("/second-factor")
                .route(web::post().to(second_factor::begin_second_factor))
                .route(web::delete().to(second_factor::remove_second_factor)),
        )
        .service(at("/second-factor/confirm").route(web::post().to(second_factor::confirm_second_factor)))
        .service(
            at("/sessions")
                .route(web::get().to(sessions::sessions))
                .route(web::delete().to(sessions::end_other_sessions)),
        )
        .service(at("/sessions/{id}").route(web::delete().to(sessions::end_session)))
        .service(at("/token").route(web::post().to(profile::account_token)))
        .service(at("/me").route(web::get().to(profile::me)));
    openapi::routes(app, base);
}
