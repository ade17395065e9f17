//! What the account endpoints have in common: the body, and who calls.

use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use serde::de::DeserializeOwned;

use super::errors::{AccountError, no_store};
use crate::authority::Authority;
use crate::authority::account::Caller;
use crate::error;
use crate::http::{HttpState, body, context};

/// Largest body at these endpoints, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

pub(super) type Answer = Result<HttpResponse, AccountError>;

pub(super) fn done() -> HttpResponse {
    no_store(HttpResponse::NoContent()).finish()
}

/// Runs what a caller asks for, once it is known who calls.
pub(super) async fn as_caller<T: Send + 'static>(
    request: &HttpRequest,
    state: &HttpState,
    token: String,
    work: impl FnOnce(&Authority, &Caller) -> error::Result<T> + Send + 'static,
) -> Result<T, AccountError> {
    let context = context(request, &state.proxies);
    let work = move |authority: &Authority| {
        let caller = authority.authenticate_caller(&token, &context)?;
        work(authority, &caller)
    };
    Ok(state.blocking.run(work).await?)
}

/// The token of `Authorization` (RFC 6750 section 2.1), behind one of the words that are set.
pub(super) fn bearer(request: &HttpRequest, state: &HttpState) -> Result<String, AccountError> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(AccountError::NoToken) };
    let text = header.to_str().map_err(|_| AccountError::NoToken)?;
    let (scheme, token) = text.split_once(' ').ok_or(AccountError::NoToken)?;
    let known = state.header_types.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if known && !token.is_empty() { Ok(token.to_owned()) } else { Err(AccountError::NoToken) }
}

pub(super) async fn read<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
) -> Result<T, AccountError> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(AccountError::NotJson);
    }
    let octets = body::read(request, payload, MAX_BODY_BYTES).await?;
    serde_json::from_slice(&octets).map_err(|error| AccountError::Malformed(what_is_wrong(&error)))
}

/// Names the field and the place, never the value: it may be a password in the wrong place.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let named =
        ["missing field", "unknown field", "duplicate field"].iter().any(|known| text.starts_with(known));
    if named {
        text
    } else {
        format!(
            "the body is no JSON of the form that is asked for (line {}, column {})",
            error.line(),
            error.column()
        )
    }
}
