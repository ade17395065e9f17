use actix_web::HttpResponseBuilder;
use actix_web::http::{StatusCode, header};

use crate::error::Error;

/// What a refusal asks of its headers, whichever endpoint it comes from: when to try again, how to
/// authenticate, and that the rest of an unread body is not waited for. What has failed goes into the log, what was refused
/// into the line of the request.
pub(super) fn advise(
    response: &mut HttpResponseBuilder,
    status: StatusCode,
    failed: Option<&Error>,
    challenge: &'static str,
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
