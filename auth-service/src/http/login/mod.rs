//! Login in a browser: the authorization endpoint, its pages, and logout (RFC 6749 section 3.1, OpenID Connect Core section 3.1,
//! RP-Initiated Logout).

mod answer;
pub(in crate::http) mod authorize;
pub(super) mod cookies;
mod device;
mod form;
pub(in crate::http) mod logout;
mod render;
mod submit;
pub(in crate::http) mod userinfo;

use actix_web::{HttpRequest, web};

use super::refusal::not_allowed;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    let at = |path: &str, allowed: &'static str| {
        let other = move |request: HttpRequest| async move { not_allowed(&request, allowed) };
        web::resource(format!("{base}{path}")).default_service(web::to(other))
    };
    let page = |path: &str| at(path, "GET, POST").route(web::get().to(submit::reopened));
    app.service(
        at("/oauth2/authorize", "GET, POST")
            .route(web::get().to(authorize::authorize))
            .route(web::post().to(authorize::authorize_by_post)),
    )
    .service(
        at("/oauth2/logout", "GET, POST")
            .route(web::get().to(logout::logout))
            .route(web::post().to(logout::logout_by_post)),
    )
    .service(
        at("/oauth2/userinfo", "GET, POST")
            .route(web::get().to(userinfo::userinfo))
            .route(web::post().to(userinfo::userinfo_by_post)),
    )
    .service(
        at("/device", "GET, POST").route(web::get().to(device::enter)).route(web::post().to(device::entered)),
    )
    .service(page("/login/password").route(web::post().to(submit::password)))
    .service(page("/login/factor").route(web::post().to(submit::factor)))
    .service(page("/login/account").route(web::post().to(submit::account)))
    .service(page("/login/consent").route(web::post().to(submit::consent)))
    .service(page("/logout").route(web::post().to(logout::confirm)));
}
