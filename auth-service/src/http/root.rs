//! What this is, and what is not here.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::HttpState;
use super::caching::read_only;
use super::oauth::errors::no_store;
use super::refusal::problem;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    app.service(read_only(&format!("{base}/"), about));
}

/// Names the program and where to go on, for anyone who opens the issuer in a browser.
#[utoipa::path(get, path = "/", tag = "about", responses((status = 200, description = "What this is", body = Object)))]
pub(super) async fn about(state: web::Data<HttpState>) -> HttpResponse {
    let issuer = &state.authority.issuer.url;
    let docs = state.docs.then(|| format!("{issuer}/docs/"));
    HttpResponse::Ok().json(json!({
        "name": "Signet",
        "description": "authorization server",
        "issuer": issuer,
        "metadata": format!("{issuer}/.well-known/openid-configuration"),
        "docs": docs,
    }))
}

/// 404 with a body.
pub(super) async fn not_found(request: HttpRequest) -> HttpResponse {
    let mut response = no_store(HttpResponse::NotFound());
    if request.method() == Method::HEAD {
        return response.finish();
    }
    response.json(problem("not_found", "no endpoint has this path"))
}
