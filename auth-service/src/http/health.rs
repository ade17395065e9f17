use actix_web::{HttpResponse, web};
use serde_json::json;

use super::HttpState;
use super::caching::read_only;
use super::described::Health;

pub(super) fn routes(app: &mut web::ServiceConfig) {
    app.service(read_only("/healthz", alive)).service(read_only("/readyz", ready));
}

/// The process answers; that is all it says.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = Health)))]
pub(super) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The replica can do its work: for load balancers.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, body = Health), (status = 503, body = Health)))]
pub(super) async fn ready(state: web::Data<HttpState>) -> HttpResponse {
    match state.authority.check_ready() {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ready"})),
        Err(missing) => HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "1"))
            .json(json!({"status": "not ready", "missing": missing})),
    }
}
