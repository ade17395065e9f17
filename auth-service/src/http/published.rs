//! What verifiers fetch: the key set and the revocations. Bytes prepared at the last change.

use actix_web::{HttpRequest, HttpResponse, web};

use super::{Edge, caching};

pub fn routes(app: &mut web::ServiceConfig) {
    app.route("/.well-known/jwks.json", web::get().to(jwks))
        .route("/.well-known/jwks.json", web::head().to(jwks))
        .route("/revocations", web::get().to(revocations));
}

/// RFC 7517 section 5. May be cached for half of the publish lead, so that a new key has been
/// fetched by everybody, twice over, before it signs.
async fn jwks(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    let ring = edge.authority.keys.ring();
    let max_age = edge.authority.key_policy.publish_lead.as_secs() / 2;
    let cache_control = format!("public, max-age={max_age}");
    caching::document(&request, ("application/jwk-set+json", &cache_control), &ring.etag, &ring.jwks)
}

/// The signed document of what was taken back. To be asked for often: mostly the answer is 304.
async fn revocations(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    let document = edge.authority.revocations();
    if document.jwt.is_empty() {
        return HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).finish();
    }
    caching::document(&request, ("application/jwt", "no-cache"), &document.etag, &document.jwt)
}
