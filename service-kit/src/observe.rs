use std::net::IpAddr;
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use opentelemetry::KeyValue;
use tracing::{Instrument, Span, field, info_span};

use crate::client_ip::TrustedProxies;
use crate::cors::Cors;
use crate::http_metrics;
use crate::refusal::Refusal;
use crate::request_id::RequestId;
use crate::run::is_draining;
use crate::traces;

/// Most bytes of header names and values in one request.
const MAX_HEADER_BYTES: usize = 16 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Around every request, by `actix_web::middleware::from_fn`: an id that its log lines and its answer
/// share, the header cap, no guessing of types, one line in the log. Neither query nor headers are logged:
/// they may hold what is secret.
///
/// # Errors
/// Those of the handler.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    // Our own, never the caller's: a foreign text in the log could pretend to be other lines.
    let id = RequestId::next();
    request.extensions_mut().insert(id);
    let traced = traces::incoming(request.headers());
    let path = shortened(request.path());
    let span =
        info_span!("request", %id, protocol = "http", method = %request.method(), path, trace = field::Empty);
    if let Some(id) = traces::id_of(&traced) {
        span.record("trace", field::display(id));
    }
    let trace = traced.clone();
    let is_poll = matches!(request.path(), "/healthz" | "/readyz" | "/revocations");
    let started = Instant::now();
    let header_bytes: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let cors = Cors::of(&request);
    let mut response = async {
        let response = if let Some(answer) = cors.as_ref().and_then(Cors::answer) {
            request.into_response(answer).map_into_right_body()
        } else if header_bytes > MAX_HEADER_BYTES {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            let body = serde_json::json!({"error": "invalid_request", "error_description": "the headers are too large"});
            request.into_response(HttpResponse::build(status).force_close().json(body)).map_into_right_body()
        } else {
            next.call(request).await?.map_into_left_body()
        };
        let took = started.elapsed();
        http_metrics::answered(response.request(), response.status(), took);
        log(&response, took, is_poll);
        if !trace.is_disabled() {
            describe(&trace, &response);
        }
        Ok::<_, Error>(response)
    }
    .instrument(traced)
    .instrument(span)
    .await?;
    if is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    if let Some(cors) = cors {
        cors.mark(headers);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_bytes(&id.digits()) {
        headers.insert(REQUEST_ID, id);
    }
    Ok(response)
}

/// One line. That of a refused request says why, and where it came from.
fn log<B>(response: &ServiceResponse<B>, took: Duration, is_poll: bool) {
    let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let status = response.status().as_u16();
    // Health checks and polls of verifiers come by the second.
    if status == 304 || (status == 200 && is_poll) {
        tracing::debug!(status, took_us, "answered");
    } else if !(400..500).contains(&status) {
        tracing::info!(status, took_us, "answered");
    } else {
        let client_ip = client_ip(response.request()).map(field::display);
        let extensions = response.response().extensions();
        let refusal = extensions.get::<Refusal>();
        let (error, cause) = (refusal.map(|why| &*why.error), refusal.map(|why| &*why.cause));
        tracing::info!(status, took_us, error, cause, client_ip, "refused");
    }
}

/// Past the proxies that are trusted.
fn client_ip(request: &HttpRequest) -> Option<IpAddr> {
    let remote = request.peer_addr()?.ip();
    let forwarded = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    match request.app_data::<Data<TrustedProxies>>() {
        Some(proxies) => Some(proxies.caller(remote, forwarded)),
        None => Some(remote.to_canonical()),
    }
}

/// Longest path in a log line, in bytes: what a caller sends must not fill the log.
const MAX_PATH_BYTES: usize = 200;

fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(MAX_PATH_BYTES)]
}

/// Names are methods and routes: a path may hold whatever its caller likes.
fn describe<B>(trace: &Span, response: &ServiceResponse<B>) {
    let method = http_metrics::name_of(response.request().method());
    let route = response.request().match_pattern().unwrap_or_else(|| "other".to_owned());
    let status = response.status();
    let name = format!("{method} {route}");
    let attributes = [
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
    ];
    traces::describe(trace, name, attributes, status.is_server_error());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_cut_between_two_characters() {
        assert_eq!(shortened("/notes"), "/notes");
        assert_eq!(shortened(&"/".repeat(60_000)).len(), MAX_PATH_BYTES);
        assert_eq!(shortened(&format!("{}\u{e9}", "a".repeat(199))).len(), 199);
    }
}
