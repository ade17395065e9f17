use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, OAuthFault, SignInFault, TokenFault};
use crate::http::refusal::advise;

/// HTTP status, error code (RFC 6749 section 5.2, RFC 8707 section 2) and description of each error.
#[must_use]
pub fn oauth_error(kind: ErrorKind) -> (StatusCode, &'static str, &'static str) {
    let bad = StatusCode::BAD_REQUEST;
    match kind {
        ErrorKind::InvalidRequest(hint) => (bad, "invalid_request", hint),
        ErrorKind::SignIn(SignInFault::InvalidCredentials) => {
            (bad, "invalid_grant", "the credentials are not valid")
        }
        ErrorKind::SignIn(SignInFault::AccountInactive) => {
            (bad, "invalid_grant", "the account is not active")
        }
        ErrorKind::Token(TokenFault::Invalid | TokenFault::Missing(_)) => {
            (bad, "invalid_grant", "the token is not valid")
        }
        ErrorKind::Token(TokenFault::Expired | TokenFault::RefreshEnded) => {
            (bad, "invalid_grant", "the token has expired")
        }
        ErrorKind::Token(TokenFault::WrongType) => (bad, "invalid_grant", "the token is of the wrong type"),
        ErrorKind::Token(TokenFault::Revoked) => (bad, "invalid_grant", "the token is no longer valid"),
        ErrorKind::OAuth(fault) => oauth_fault(fault),
        ErrorKind::SignIn(SignInFault::SecondFactorRequired) => {
            (bad, "invalid_grant", "a one-time password is required")
        }
        ErrorKind::Account(_) | ErrorKind::Admin(_) => {
            (bad, "invalid_request", "this error belongs to another API")
        }
        ErrorKind::TooManyAttempts(_) => {
            (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "too many failed attempts")
        }
        ErrorKind::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the server is too busy, try again later",
        ),
        ErrorKind::Unavailable => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the database is unavailable, try again later",
        ),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal server error"),
    }
}

/// Of the family of these endpoints (RFC 6749 section 5.2, RFC 8628 section 3.5).
fn oauth_fault(fault: OAuthFault) -> (StatusCode, &'static str, &'static str) {
    let bad = StatusCode::BAD_REQUEST;
    match fault {
        OAuthFault::InvalidClient => {
            (StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed")
        }
        OAuthFault::UnauthorizedClient => {
            (bad, "unauthorized_client", "the client may not use this grant type")
        }
        OAuthFault::UnsupportedGrantType => {
            (bad, "unsupported_grant_type", "the grant type is not supported")
        }
        OAuthFault::InvalidScope => {
            (bad, "invalid_scope", "the scope is malformed or exceeds what the client may request")
        }
        OAuthFault::InvalidTarget => {
            (bad, "invalid_target", "the client may not request tokens for this audience")
        }
        OAuthFault::UnsupportedTokenType => {
            (bad, "unsupported_token_type", "tokens of this type cannot be revoked individually")
        }
        OAuthFault::InvalidGrant(hint) => (bad, "invalid_grant", hint),
        OAuthFault::AuthorizationPending => (bad, "authorization_pending", "the user has not decided yet"),
        OAuthFault::SlowDown => {
            (bad, "slow_down", "the user has not decided yet: wait five seconds longer each time")
        }
        OAuthFault::AccessDenied => (bad, "access_denied", "the user has refused"),
        OAuthFault::ExpiredDeviceCode => (bad, "expired_token", "the device code has expired"),
        OAuthFault::InvalidDpopProof => {
            (bad, "invalid_dpop_proof", "the DPoP header does not hold one proof for this request")
        }
        OAuthFault::UseDpopNonce => {
            (bad, "use_dpop_nonce", "the proof has to name the nonce that stands in DPoP-Nonce")
        }
    }
}

/// Why an OAuth endpoint refused a request.
#[derive(Debug)]
pub(crate) enum OAuthError {
    Failed(Error),
    UnsupportedMediaType,
    BodyTooLarge,
    BodyTooSlow,
}

impl OAuthError {
    pub(crate) fn body(error: &str, description: &str) -> Value {
        json!({"error": error, "error_description": description})
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Failed(error) => oauth_error(error.kind),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "invalid_request",
                "the body must be application/x-www-form-urlencoded",
            ),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large"),
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body took too long"),
        }
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.parts().1)
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let failed = if let Self::Failed(error) = self { Some(error) } else { None };
        let (status, word, description) = self.parts();
        let mut response = no_store(HttpResponse::build(status));
        advise(&mut response, status, failed, "Basic realm=\"signet\", charset=\"UTF-8\"");
        response.json(Self::body(word, description))
    }
}

/// Nothing from these endpoints may be kept by a cache (RFC 6749 section 5.1).
pub(crate) fn no_store(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response.insert_header((header::CACHE_CONTROL, "no-store")).insert_header((header::PRAGMA, "no-cache"));
    response
}
