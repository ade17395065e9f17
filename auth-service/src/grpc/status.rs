use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::{Error, ErrorKind, OAuthFault, SignInFault};
use crate::http::oauth_error;

/// gRPC status code and error code of each error. The error code is that of the OAuth endpoints, except where a call is
/// about a token itself: `invalid_token` (RFC 6750 section 3.1).
#[must_use]
pub fn grpc_error(kind: ErrorKind) -> (Code, &'static str) {
    let code = oauth_error(kind).1;
    match kind {
        ErrorKind::InvalidRequest(_) => (Code::InvalidArgument, code),
        ErrorKind::SignIn(SignInFault::InvalidCredentials)
        | ErrorKind::SignIn(SignInFault::AccountInactive)
        | ErrorKind::OAuth(OAuthFault::InvalidClient) => (Code::Unauthenticated, code),
        // A program that receives this asks its user for the one-time password.
        ErrorKind::SignIn(SignInFault::SecondFactorRequired) => (Code::FailedPrecondition, code),
        ErrorKind::Account(_) | ErrorKind::Admin(_) => (Code::InvalidArgument, code),
        ErrorKind::Token(_) => (Code::Unauthenticated, code),
        ErrorKind::OAuth(OAuthFault::UnauthorizedClient) => (Code::PermissionDenied, code),
        ErrorKind::OAuth(OAuthFault::UnsupportedGrantType) => (Code::Unimplemented, code),
        ErrorKind::OAuth(OAuthFault::InvalidScope)
        | ErrorKind::OAuth(OAuthFault::InvalidTarget)
        | ErrorKind::OAuth(OAuthFault::UnsupportedTokenType) => (Code::InvalidArgument, code),
        ErrorKind::OAuth(OAuthFault::InvalidGrant(_) | OAuthFault::ExpiredDeviceCode) => {
            (Code::Unauthenticated, code)
        }
        ErrorKind::OAuth(OAuthFault::AuthorizationPending) => (Code::FailedPrecondition, code),
        ErrorKind::OAuth(OAuthFault::SlowDown) => (Code::ResourceExhausted, code),
        ErrorKind::OAuth(OAuthFault::AccessDenied) => (Code::PermissionDenied, code),
        ErrorKind::OAuth(OAuthFault::InvalidDpopProof | OAuthFault::UseDpopNonce) => {
            (Code::Unauthenticated, code)
        }
        ErrorKind::Overloaded | ErrorKind::TooManyAttempts(_) => (Code::ResourceExhausted, code),
        ErrorKind::Unavailable => (Code::Unavailable, code),
        ErrorKind::Internal => (Code::Internal, code),
    }
}

/// Logs the error, or leaves it to the line of the call, and converts it to a status whose details carry the OAuth error
/// code.
pub(super) fn refuse(error: &Error) -> Status {
    let refusal = error.log_or_refuse();
    let (status, code) = grpc_error(error.kind);
    let (_, _, description) = oauth_error(error.kind);
    let mut details = ErrorDetails::with_error_info(code, "signet", HashMap::new());
    if let Some(seconds) = error.retry_after() {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    let mut status = Status::with_error_details(status, description, details);
    if let Some(refusal) = refusal {
        status.set_source(Arc::new(refusal));
    }
    status
}
