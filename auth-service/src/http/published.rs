//! What verifiers fetch: the key set and the revocations. Bytes prepared at the last change.

use actix_web::http::header::HeaderValue;
use actix_web::{HttpRequest, HttpResponse, web};

use super::Edge;
use super::caching::{self, read_only};

pub fn routes(app: &mut web::ServiceConfig, base: &str) {
    app.service(read_only(&format!("{base}/.well-known/jwks.json"), jwks))
        .service(read_only(&format!("{base}/revocations"), revocations));
}

/// RFC 7517 section 5.
async fn jwks(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    let ring = edge.authority.keys.ring();
    let kind = ("application/jwk-set+json", edge.names_keys.clone());
    caching::document(&request, kind, &ring.etag, &ring.jwks)
}

/// The signed document of what was taken back. To be asked for often: mostly the answer is 304.
async fn revocations(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    let document = edge.authority.revocations();
    if document.jwt.is_empty() {
        return HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).finish();
    }
    let kind = ("application/jwt", HeaderValue::from_static("no-cache"));
    caching::document(&request, kind, &document.etag, &document.jwt)
}
