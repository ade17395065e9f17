use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse};

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
