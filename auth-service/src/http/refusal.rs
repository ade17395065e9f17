use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use serde_json::{Value, json};

use crate::error::Error;

/// What a refusal asks of its headers, whichever endpoint it comes from: when to try again, how to
/// authenticate, and that the rest of an unread body is not waited for. What has failed goes into the log, what was refused
/// into the line of the request.
pub(super) fn advise(
    response: &mut HttpResponseBuilder,
    status: StatusCode,
    failed: Option<&Error>,
    challenge: &str,
) {
    if let Some(error) = failed {
        if let Some(refusal) = error.log_or_refuse() {
            response.extensions_mut().insert(refusal);
        }
        if let Some(seconds) = error.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
    }
    match status {
        StatusCode::UNAUTHORIZED => {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            response.force_close();
        }
        _ => {}
    }
}

/// 405 with a body, where other methods are allowed.
pub(super) fn not_allowed(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((header::ALLOW, allowed)).insert_header((header::CACHE_CONTROL, "no-store"));
    if request.method() == Method::HEAD {
        return response.finish();
    }
    response.json(problem("method_not_allowed", &format!("allowed here: {allowed}")))
}

/// The body of an error that belongs to no API.
pub(super) fn problem(code: &str, description: &str) -> Value {
    json!({"error": code, "error_description": description})
}
