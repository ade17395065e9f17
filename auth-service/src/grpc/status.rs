use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::error::{Error, ErrorKind, TokenFault};
use crate::http::oauth_error;

/// The table: the gRPC code of each failure. The word beside it is that of the HTTP table, except
/// where a call is about a token itself: `invalid_token` (RFC 6750 section 3.1).
#[must_use]
pub fn grpc_error(kind: ErrorKind) -> (Code, &'static str) {
    let word = oauth_error(kind).1;
    match kind {
        ErrorKind::InvalidRequest(_) => (Code::InvalidArgument, word),
        ErrorKind::InvalidCredentials | ErrorKind::AccountInactive | ErrorKind::InvalidClient => {
            (Code::Unauthenticated, word)
        }
        // A program that sees this word asks its user for the code.
        ErrorKind::SecondFactorRequired => (Code::FailedPrecondition, word),
        ErrorKind::PasswordRefused(_)
        | ErrorKind::LinkInvalid
        | ErrorKind::NotOffered
        | ErrorKind::Conflict
        | ErrorKind::NotFound => (Code::InvalidArgument, word),
        ErrorKind::Token(
            TokenFault::Invalid
            | TokenFault::Expired
            | TokenFault::WrongType
            | TokenFault::Revoked
            | TokenFault::RefreshEnded
            | TokenFault::Missing(_),
        ) => (Code::Unauthenticated, word),
        ErrorKind::UnauthorizedClient => (Code::PermissionDenied, word),
        ErrorKind::UnsupportedGrantType => (Code::Unimplemented, word),
        ErrorKind::InvalidScope | ErrorKind::InvalidTarget | ErrorKind::UnsupportedTokenType => {
            (Code::InvalidArgument, word)
        }
        ErrorKind::Overloaded | ErrorKind::TooManyAttempts(_) => (Code::ResourceExhausted, word),
        ErrorKind::Unavailable => (Code::Unavailable, word),
        ErrorKind::Internal => (Code::Internal, word),
    }
}

/// Logs the failure and turns it into a status whose details carry the OAuth word.
pub fn refuse(error: &Error) -> Status {
    error.log();
    let (code, word) = grpc_error(error.kind);
    let (_, _, description) = oauth_error(error.kind);
    let mut details = ErrorDetails::with_error_info(word, "signet", HashMap::new());
    if let Some(seconds) = error.retry_after() {
        details.set_retry_info(Some(Duration::from_secs(seconds.into())));
    }
    Status::with_error_details(code, description, details)
}
