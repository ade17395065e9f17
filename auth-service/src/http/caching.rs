use actix_web::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

use super::Edge;

/// A path that is read by GET and HEAD; every other method is a 405 (RFC 9110 section 15.5.6).
pub fn read_only<H, A>(path: &str, handler: H) -> Resource
where
    H: Handler<A> + Clone,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let other = || async { HttpResponse::MethodNotAllowed().insert_header((ALLOW, "GET, HEAD")).finish() };
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(other))
}

/// Whatever names keys may be cached for half of the publish lead: a new one has then been fetched by
/// everybody, twice over, before it signs.
pub fn half_of_the_lead(edge: &Edge) -> String {
    format!("public, max-age={}", edge.authority.key_policy.publish_lead.as_secs() / 2)
}

/// A prepared document with its entity tag; 304 without a body when the caller has this version
/// (RFC 9110 section 13.1.2).
pub fn document(
    request: &HttpRequest,
    (content_type, cache_control): (&str, &str),
    etag: &str,
    text: &str,
) -> HttpResponse {
    let held = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = |candidate: &str| matches!(candidate.trim().trim_start_matches("W/"), tag if tag == etag || tag == "*");
    let mut response = match held {
        Some(tags) if tags.split(',').any(same) => HttpResponse::NotModified(),
        _ => HttpResponse::Ok(),
    };
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, cache_control));
    if held.is_some_and(|tags| tags.split(',').any(same)) {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, content_type)).body(text.to_owned())
}
