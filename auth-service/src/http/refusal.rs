use actix_web::HttpResponseBuilder;
use actix_web::http::{StatusCode, header};

/// What a refusal's status asks of its headers, whichever endpoint it comes from: when to try again,
/// how to authenticate, and that the rest of an unread body is not waited for.
pub fn advise(response: &mut HttpResponseBuilder, status: StatusCode, challenge: &'static str) {
    match status {
        StatusCode::UNAUTHORIZED => {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            response.force_close();
        }
        _ => {}
    }
}
