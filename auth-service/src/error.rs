//! One vocabulary of failures for the whole core. The endpoints translate it by exhaustive tables:
//! `http/oauth/errors.rs`, `http/simplejwt/errors.rs` and `grpc/status.rs`.
//!
//! Each failure has two messages: what the caller may know follows from the kind, what the operator
//! must know is the cause. The cause is logged once, at the endpoint, and never sent.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::secret::NoRandomness;
use crate::users::{HasherBusy, PasswordFault};

/// A failure of a use case.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// For the operator; holds no secret, no token and no claim value.
    pub cause: String,
}

/// The kinds of errors, with the names of RFC 6749 where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `invalid_request`, with a hint that names the parameter.
    InvalidRequest(&'static str),
    /// Unknown username, wrong password or disabled user: the caller cannot tell which.
    InvalidCredentials,
    /// The user of a valid token is disabled or deleted.
    AccountInactive,
    /// The presented token is not valid.
    Token(TokenFault),
    /// Client authentication failed (RFC 6749 section 5.2).
    InvalidClient,
    /// The client may not use this grant type.
    UnauthorizedClient,
    UnsupportedGrantType,
    /// The scope is malformed or exceeds what the client or session has.
    InvalidScope,
    /// The audience is malformed or not one of the client's (RFC 8707 section 2).
    InvalidTarget,
    /// Tokens of this type cannot be revoked (RFC 7009 section 2.2.1).
    UnsupportedTokenType,
    /// The new password violates a rule.
    PasswordRefused(PasswordFault),
    /// The password is right, and a one-time password is required.
    SecondFactorRequired,
    /// A token from an e-mail that is invalid, expired or already used.
    LinkInvalid,
    /// The feature is disabled by a setting.
    NotOffered,
    /// The request conflicts with the current state.
    Conflict,
    /// Not found, or not the caller's.
    NotFound,
    /// Too many failed attempts: try again after this many seconds.
    TooManyAttempts(u32),
    /// Refused for load, before any work was done. A retry may succeed.
    Overloaded,
    /// The database is unavailable; nothing was stored.
    Unavailable,
    /// A defect, or a failure of the machine.
    Internal,
}

/// Why a presented token is not valid, as far as the caller may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Not issued here, altered, or of another client.
    Invalid,
    Expired,
    /// An access token where a refresh token belongs, or the reverse.
    WrongType,
    /// Revoked, already used, or its session has ended.
    Revoked,
    /// A sliding token that can no longer be refreshed.
    RefreshEnded,
    /// A token of the previous issuer, without a claim that simplejwt requires.
    Missing(MissingPart),
}

/// A claim that simplejwt requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPart {
    Expiry,
    Id,
    Type,
}

/// Every kind, for the test that compares the error tables.
pub const ALL_KINDS: [ErrorKind; 27] = [
    ErrorKind::InvalidRequest("the parameter `x` is missing"),
    ErrorKind::InvalidCredentials,
    ErrorKind::AccountInactive,
    ErrorKind::Token(TokenFault::Invalid),
    ErrorKind::Token(TokenFault::Expired),
    ErrorKind::Token(TokenFault::WrongType),
    ErrorKind::Token(TokenFault::Revoked),
    ErrorKind::Token(TokenFault::RefreshEnded),
    ErrorKind::Token(TokenFault::Missing(MissingPart::Expiry)),
    ErrorKind::Token(TokenFault::Missing(MissingPart::Id)),
    ErrorKind::Token(TokenFault::Missing(MissingPart::Type)),
    ErrorKind::InvalidClient,
    ErrorKind::UnauthorizedClient,
    ErrorKind::UnsupportedGrantType,
    ErrorKind::InvalidScope,
    ErrorKind::InvalidTarget,
    ErrorKind::UnsupportedTokenType,
    ErrorKind::PasswordRefused(PasswordFault::Breached),
    ErrorKind::SecondFactorRequired,
    ErrorKind::LinkInvalid,
    ErrorKind::NotOffered,
    ErrorKind::Conflict,
    ErrorKind::NotFound,
    ErrorKind::TooManyAttempts(60),
    ErrorKind::Overloaded,
    ErrorKind::Unavailable,
    ErrorKind::Internal,
];

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: ErrorKind, cause: impl Into<String>) -> Self {
        Self { kind, cause: cause.into() }
    }

    /// `invalid_request`, with a hint for both the caller and the operator.
    #[must_use]
    pub fn invalid_request(hint: &'static str) -> Self {
        Self::new(ErrorKind::InvalidRequest(hint), hint)
    }

    /// `TooManyAttempts`: try again after `wait`.
    #[must_use]
    pub fn too_many_attempts(wait: Duration, cause: &str) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Self::new(ErrorKind::TooManyAttempts(seconds), cause)
    }

    /// Seconds after which a retry may succeed, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self.kind {
            ErrorKind::TooManyAttempts(seconds) => Some(seconds),
            ErrorKind::Overloaded | ErrorKind::Unavailable => Some(1),
            _ => None,
        }
    }

    /// Logs the error, once, where it leaves the use cases: as ERROR or WARN if the server caused it, as INFO if the
    /// caller did.
    pub fn log(&self) {
        match self.kind {
            ErrorKind::Internal => tracing::error!(kind = ?self.kind, cause = self.cause, "request failed"),
            ErrorKind::Unavailable => {
                if let Some(others) = UNAVAILABLE.take() {
                    tracing::error!(kind = ?self.kind, cause = self.cause, others, "request failed");
                }
            }
            ErrorKind::Overloaded => {
                if let Some(others) = OVERLOADED.take() {
                    tracing::warn!(cause = self.cause, others, "request refused for load");
                }
            }
            ErrorKind::InvalidRequest(_)
            | ErrorKind::InvalidCredentials
            | ErrorKind::AccountInactive
            | ErrorKind::Token(_)
            | ErrorKind::InvalidClient
            | ErrorKind::UnauthorizedClient
            | ErrorKind::UnsupportedGrantType
            | ErrorKind::InvalidScope
            | ErrorKind::InvalidTarget
            | ErrorKind::UnsupportedTokenType
            | ErrorKind::PasswordRefused(_)
            | ErrorKind::SecondFactorRequired
            | ErrorKind::LinkInvalid
            | ErrorKind::NotOffered
            | ErrorKind::Conflict
            | ErrorKind::NotFound
            | ErrorKind::TooManyAttempts(_) => {
                tracing::info!(kind = ?self.kind, cause = self.cause, "request refused");
            }
        }
    }
}

/// In a flood, or while the database is down, at most one line a second is logged, with the number of suppressed ones.
/// The metrics count all of them.
static OVERLOADED: Throttle = Throttle::new();
static UNAVAILABLE: Throttle = Throttle::new();

struct Throttle {
    last: Mutex<Option<Instant>>,
    suppressed: AtomicU64,
}

impl Throttle {
    const fn new() -> Self {
        Self { last: Mutex::new(None), suppressed: AtomicU64::new(0) }
    }

    /// The number of lines suppressed since the last one, when another line may be logged.
    fn take(&self) -> Option<u64> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.cause)
    }
}

impl std::error::Error for Error {}

impl From<NoRandomness> for Error {
    fn from(error: NoRandomness) -> Self {
        Self::new(ErrorKind::Internal, error.to_string())
    }
}

impl From<HasherBusy> for Error {
    fn from(busy: HasherBusy) -> Self {
        Self::new(ErrorKind::Overloaded, busy.to_string())
    }
}

impl From<PasswordFault> for Error {
    fn from(fault: PasswordFault) -> Self {
        Self::new(ErrorKind::PasswordRefused(fault), fault.message())
    }
}

impl From<TokenFault> for Error {
    fn from(fault: TokenFault) -> Self {
        let cause = match fault {
            TokenFault::Invalid => "the token was not issued here, was altered, or is another client's",
            TokenFault::Expired => "the token has expired",
            TokenFault::WrongType => "the token is of the wrong type",
            TokenFault::Revoked => "the token was revoked or its session has ended",
            TokenFault::RefreshEnded => "the sliding token can no longer be refreshed",
            TokenFault::Missing(_) => "the token of the previous issuer is missing a claim",
        };
        Self::new(ErrorKind::Token(fault), cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_in_a_second_one_is_logged_and_the_others_are_counted() {
        let throttle = Throttle::new();
        assert_eq!(throttle.take(), Some(0));
        assert_eq!([(); 3].map(|()| throttle.take()), [None; 3]);
        *throttle.last.lock().unwrap() = Instant::now().checked_sub(Duration::from_secs(1));
        assert_eq!(throttle.take(), Some(3));
    }
}
