use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, MissingPart, SignInFault, TokenFault};
use crate::http::browser::OriginRefused;
use crate::http::refusal::advise;

/// The table: status and body of simplejwt 5.5.1 for each failure of the core.
#[must_use]
pub fn simplejwt_error(kind: ErrorKind) -> (StatusCode, Value) {
    let token =
        |detail: &str| (StatusCode::UNAUTHORIZED, json!({"detail": detail, "code": "token_not_valid"}));
    let detail = |status, detail: &str| (status, json!({"detail": detail}));
    match kind {
        ErrorKind::SignIn(SignInFault::InvalidCredentials) => {
            detail(StatusCode::UNAUTHORIZED, "No active account found with the given credentials")
        }
        ErrorKind::SignIn(SignInFault::AccountInactive) => {
            detail(StatusCode::UNAUTHORIZED, "No active account found for the given token.")
        }
        ErrorKind::Token(TokenFault::Invalid) => token("Token is invalid"),
        ErrorKind::Token(TokenFault::Expired) => token("Token is expired"),
        ErrorKind::Token(TokenFault::WrongType) => token("Token has wrong type"),
        ErrorKind::Token(TokenFault::Revoked) => token("Token is blacklisted"),
        ErrorKind::Token(TokenFault::RefreshEnded) => token("Token 'refresh_exp' claim has expired"),
        ErrorKind::Token(TokenFault::Missing(MissingPart::Expiry)) => token("Token has no 'exp' claim"),
        ErrorKind::Token(TokenFault::Missing(MissingPart::Id)) => token("Token has no id"),
        ErrorKind::Token(TokenFault::Missing(MissingPart::Type)) => token("Token has no type"),
        ErrorKind::InvalidRequest(hint) => detail(StatusCode::BAD_REQUEST, hint),
        ErrorKind::SignIn(SignInFault::SecondFactorRequired) => (
            StatusCode::UNAUTHORIZED,
            json!({"detail": "A one-time password is required.", "code": "otp_required"}),
        ),
        // These endpoints take no client, grant, scope or audience.
        ErrorKind::OAuth(_) | ErrorKind::Account(_) | ErrorKind::Admin(_) => {
            detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action.")
        }
        ErrorKind::TooManyAttempts(seconds) => {
            let unit = if seconds == 1 { "second" } else { "seconds" };
            let text = format!("Request was throttled. Expected available in {seconds} {unit}.");
            detail(StatusCode::TOO_MANY_REQUESTS, &text)
        }
        ErrorKind::Overloaded | ErrorKind::Unavailable => {
            detail(StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable, try again later.")
        }
        ErrorKind::Internal => detail(StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred."),
    }
}

/// Why these endpoints refused a request.
#[derive(Debug)]
pub(crate) enum SimpleJwtError {
    Failed(Error),
    /// One or more fields are wrong.
    Fields(Map<String, Value>),
    /// JSON, but not an object: its Python type.
    NotAnObject(&'static str),
    /// JSON `null`.
    NoData,
    NotParsed(String),
    MediaType(String),
    BodyTooLarge,
    BodyTooSlow,
    /// A page of an origin that is not allowed, where refresh tokens are in cookies.
    OriginRefused,
}

impl SimpleJwtError {
    fn parts(&self) -> (StatusCode, Value) {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Failed(error) => simplejwt_error(error.kind),
            Self::Fields(errors) => (bad, Value::Object(errors.clone())),
            Self::NotAnObject(kind) => {
                let message = format!("Invalid data. Expected a dictionary, but got {kind}.");
                (bad, json!({"non_field_errors": [message]}))
            }
            Self::NoData => (bad, json!({"non_field_errors": ["No data provided"]})),
            Self::NotParsed(message) => (bad, json!({"detail": message})),
            Self::MediaType(given) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                json!({"detail": format!("Unsupported media type \"{given}\" in request.")}),
            ),
            Self::BodyTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, json!({"detail": "The body is too large."}))
            }
            Self::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, json!({"detail": "The body took too long."})),
            // The words of Django REST framework.
            Self::OriginRefused => {
                (StatusCode::FORBIDDEN, json!({"detail": "CSRF Failed: Origin checking failed."}))
            }
        }
    }
}

impl From<OriginRefused> for SimpleJwtError {
    fn from(OriginRefused: OriginRefused) -> Self {
        Self::OriginRefused
    }
}

impl From<Error> for SimpleJwtError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for SimpleJwtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.parts().0)
    }
}

impl ResponseError for SimpleJwtError {
    fn status_code(&self) -> StatusCode {
        self.parts().0
    }

    fn error_response(&self) -> HttpResponse {
        let failed = if let Self::Failed(error) = self { Some(error) } else { None };
        let (status, body) = self.parts();
        let mut response = answer(HttpResponse::build(status));
        advise(&mut response, status, failed, "Bearer realm=\"api\"");
        response.json(body)
    }
}

/// The headers that every answer of these endpoints has.
pub(crate) fn answer(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response
        .insert_header((header::ALLOW, "POST, OPTIONS"))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response
}
