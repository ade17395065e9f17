use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::refusal::not_allowed;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::web::Bytes;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

/// A path that is read by GET and HEAD; every other method is a 405 (RFC 9110 section 15.5.6).
pub(super) fn read_only<H, A>(path: &str, handler: H) -> Resource
where
    H: Handler<A> + Clone,
    A: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    let other = |request: HttpRequest| async move { not_allowed(&request, "GET, HEAD") };
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(other))
}

/// `Cache-Control` of a document that shared caches may hold (RFC 9111 section 5.2.2), in whole seconds.
pub(super) fn public_for(max_age: Duration) -> HeaderValue {
    let text = format!("public, max-age={}", max_age.as_secs());
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("no-cache"))
}

/// A prepared document with its entity tag; 304 without a body when the caller has this version
/// (RFC 9110 section 13.1.2).
pub(super) fn document(
    request: &HttpRequest,
    content_type: &'static str,
    cache_control: HeaderValue,
    etag: &str,
    text: impl MessageBody + 'static,
) -> HttpResponse {
    if is_held(request, etag) {
        let mut response = HttpResponse::NotModified();
        return response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, cache_control)).finish();
    }
    answer(content_type, cache_control, etag, text)
}

/// A document with its entity tag, whatever version the caller has.
pub(super) fn answer(
    content_type: &'static str,
    cache_control: HeaderValue,
    etag: &str,
    text: impl MessageBody + 'static,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((ETAG, etag)).insert_header((CACHE_CONTROL, cache_control));
    response.insert_header((CONTENT_TYPE, HeaderValue::from_static(content_type))).body(text)
}

/// A document that goes out a piece at a time: were it handed over as a whole, each slow reader would hold a copy.
pub(super) struct Pieces {
    text: Arc<str>,
    sent: usize,
}

const PIECE: usize = 16 * 1024;

impl Pieces {
    pub(super) fn of(text: &Arc<str>) -> Self {
        Self { text: Arc::clone(text), sent: 0 }
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.text.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let rest = &self.text.as_bytes()[self.sent..];
        let piece = Bytes::copy_from_slice(&rest[..rest.len().min(PIECE)]);
        self.sent += piece.len();
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

/// Whether the caller has this version: compared weakly (RFC 9110 section 13.1.2).
pub(super) fn is_held(request: &HttpRequest, etag: &str) -> bool {
    request.headers().get(IF_NONE_MATCH).is_some_and(|held| names(held, etag.trim_start_matches("W/")))
}

fn names(held: &HeaderValue, etag: &str) -> bool {
    let same = |tag: &str| matches!(tag.trim().trim_start_matches("W/"), tag if tag == etag || tag == "*");
    held.to_str().is_ok_and(|tags| tags.split(',').any(same))
}
