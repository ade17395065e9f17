use actix_web::HttpResponseBuilder;
use actix_web::http::{StatusCode, header};

/// What a refusal's status asks of its headers, whichever endpoint it comes from: when to try again,
/// how to authenticate, and that the rest of an unread body is not waited for.
pub fn advise(
    response: &mut HttpResponseBuilder,
    (status, retry_after): (StatusCode, Option<u32>),
    challenge: &'static str,
) {
    if let Some(seconds) = retry_after {
        response.insert_header((header::RETRY_AFTER, seconds));
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
