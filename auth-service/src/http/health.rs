use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Edge;

pub fn routes(app: &mut web::ServiceConfig) {
    for (path, method) in [("/healthz", web::get()), ("/healthz", web::head())] {
        app.route(path, method.to(alive));
    }
    for (path, method) in [("/readyz", web::get()), ("/readyz", web::head())] {
        app.route(path, method.to(ready));
    }
}

/// The process answers; that is all it says.
async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// The replica can do its work: for load balancers.
async fn ready(edge: web::Data<Edge>) -> HttpResponse {
    match edge.authority.check_ready() {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ready"})),
        Err(missing) => HttpResponse::ServiceUnavailable()
            .insert_header(("Retry-After", "1"))
            .json(json!({"status": "not ready", "missing": missing})),
    }
}
