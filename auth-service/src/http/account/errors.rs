use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{AccountFault, Error, ErrorKind, SignInFault};
use crate::http::body::BodyError;
use crate::http::browser::OriginRefused;
use crate::http::refusal::advise;

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Error code.
    #[schema(example = "password_refused")]
    pub code: &'static str,
    /// What is wrong, in one sentence.
    pub detail: String,
    /// The HTTP status code.
    #[schema(example = 400)]
    pub status: u16,
}

/// HTTP status, error code and detail of each error.
#[must_use]
pub fn account_error(kind: ErrorKind) -> (StatusCode, &'static str, String) {
    let of = |status, code, detail: &str| (status, code, detail.to_owned());
    let (bad, unauthorized) = (StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED);
    match kind {
        ErrorKind::InvalidRequest(hint) => of(bad, "invalid_request", hint),
        ErrorKind::SignIn(SignInFault::InvalidCredentials) => {
            of(StatusCode::FORBIDDEN, "invalid_credentials", "the password or the one-time password is wrong")
        }
        ErrorKind::SignIn(SignInFault::SecondFactorRequired) => {
            of(StatusCode::FORBIDDEN, "otp_required", "a one-time password is required")
        }
        ErrorKind::Account(AccountFault::PasswordRefused(fault)) => {
            (bad, "password_refused", fault.message())
        }
        ErrorKind::Account(AccountFault::LinkInvalid) => {
            of(bad, "link_invalid", "the token is invalid, expired or already used")
        }
        ErrorKind::Account(AccountFault::NotOffered) => {
            of(StatusCode::FORBIDDEN, "not_offered", "this feature is disabled")
        }
        ErrorKind::Account(AccountFault::Conflict) => {
            of(StatusCode::CONFLICT, "conflict", "the request conflicts with the current state")
        }
        ErrorKind::Account(AccountFault::NotFound) => of(StatusCode::NOT_FOUND, "not_found", "not found"),
        ErrorKind::Token(_) | ErrorKind::SignIn(SignInFault::AccountInactive) => {
            of(unauthorized, "invalid_token", "the access token is not valid")
        }
        // A token for another purpose; these endpoints have no client, grant, scope or audience.
        ErrorKind::OAuth(_) | ErrorKind::Admin(_) => {
            of(StatusCode::FORBIDDEN, "insufficient_scope", "this token is not valid for the account API")
        }
        ErrorKind::TooManyAttempts(_) => {
            of(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "too many attempts: try again later")
        }
        ErrorKind::Overloaded | ErrorKind::Unavailable => {
            of(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "try again in a moment")
        }
        ErrorKind::Internal => of(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal server error"),
    }
}

/// Why an account endpoint refused a request.
#[derive(Debug)]
pub(super) enum AccountError {
    Failed(Error),
    /// No token, or not one by itself.
    NoToken,
    /// The body is not JSON of the expected form; names the place.
    Malformed(String),
    NotJson,
    BodyTooLarge,
    BodyTooSlow,
    /// A page of an origin that is not allowed, where refresh tokens are in cookies.
    OriginRefused,
}

impl AccountError {
    fn parts(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Failed(error) => account_error(error.kind),
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "an access token is required in the Authorization header".to_owned(),
            ),
            Self::Malformed(what) => (StatusCode::BAD_REQUEST, "invalid_request", what.clone()),
            Self::NotJson => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", "the body must be JSON".to_owned())
            }
            Self::BodyTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large".to_owned())
            }
            Self::BodyTooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body took too long".to_owned())
            }
            Self::OriginRefused => {
                (StatusCode::FORBIDDEN, "origin_refused", "this origin may not use the cookie".to_owned())
            }
        }
    }
}

impl From<Error> for AccountError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<OriginRefused> for AccountError {
    fn from(OriginRefused: OriginRefused) -> Self {
        Self::OriginRefused
    }
}

impl From<BodyError> for AccountError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::BodyTooLarge,
            BodyError::TooSlow => Self::BodyTooSlow,
            BodyError::Broken => Self::Malformed("the body broke off".to_owned()),
        }
    }
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.parts().0)
    }
}

impl ResponseError for AccountError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let failed = if let Self::Failed(error) = self { Some(error) } else { None };
        let (status, code, detail) = self.parts();
        let mut response = no_store(HttpResponse::build(status));
        advise(&mut response, status, failed, "Bearer");
        response.content_type("application/problem+json");
        response.json(Problem { code, detail, status: status.as_u16() })
    }
}

/// The header that every answer of these endpoints has.
pub(super) fn no_store(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}
