//! One vocabulary of failures for the whole core. The edges translate it by exhaustive tables:
//! `http/oauth/errors.rs`, `http/simplejwt/errors.rs` and `grpc/status.rs`.
//!
//! Each failure has two messages: what the caller may know follows from the kind, what the operator
//! must know is the cause. The cause is logged once, at the edge, and never sent.

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

/// What went wrong, in the words of RFC 6749 where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `invalid_request`, with a hint that names the parameter.
    InvalidRequest(&'static str),
    /// Unknown name, wrong password or disabled account: one face for all three.
    InvalidCredentials,
    /// The account behind a valid token is disabled or gone.
    AccountInactive,
    /// A token that was presented does not hold.
    Token(TokenFault),
    /// Client authentication failed (RFC 6749 section 5.2).
    InvalidClient,
    /// The client is known but may not use this grant.
    UnauthorizedClient,
    UnsupportedGrantType,
    /// The scope is malformed or exceeds what the client or session has.
    InvalidScope,
    /// The audience is malformed or not one of the client's (RFC 8707 section 2).
    InvalidTarget,
    /// The token is of a kind that cannot be taken back (RFC 7009 section 2.2.1).
    UnsupportedTokenType,
    /// A password that may not be set.
    PasswordRefused(PasswordFault),
    /// The password is right, and a one-time password is needed too.
    SecondFactorRequired,
    /// A token from a letter that is good for nothing, or not any more.
    LinkInvalid,
    /// What is asked for is switched off here.
    NotOffered,
    /// What is asked for does not go with what there is.
    Conflict,
    /// No such thing, or not the caller's.
    NotFound,
    /// Too many attempts failed: to be tried again after so many seconds.
    TooManyAttempts(u32),
    /// Shed before any work was done; worth a retry in a moment.
    Overloaded,
    /// The database cannot be used now; nothing was stored.
    Unavailable,
    /// A defect or a broken machine.
    Internal,
}

/// Why a presented token does not hold, as far as its holder may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Not issued here, altered, or of another client.
    Invalid,
    Expired,
    /// An access token where a refresh token belongs, or the reverse.
    WrongType,
    /// Taken back, used up, or its session has ended.
    Revoked,
    /// A sliding token for which there is no later one any more.
    RefreshEnded,
    /// A token of the system that was moved from, without something that simplejwt asks for.
    Missing(MissingPart),
}

/// What a token of simplejwt must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingPart {
    Expiry,
    Id,
    Type,
}

/// Every kind, for the test that prints the tables side by side.
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

    /// `invalid_request`, with a hint that is fit for both readers.
    #[must_use]
    pub fn invalid_request(hint: &'static str) -> Self {
        Self::new(ErrorKind::InvalidRequest(hint), hint)
    }

    /// `TooManyAttempts`, to be tried again after `wait`.
    #[must_use]
    pub fn too_many_attempts(wait: Duration, cause: &str) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Self::new(ErrorKind::TooManyAttempts(seconds), cause)
    }

    /// Seconds after which another try makes sense, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self.kind {
            ErrorKind::TooManyAttempts(seconds) => Some(seconds),
            ErrorKind::Overloaded | ErrorKind::Unavailable => Some(1),
            _ => None,
        }
    }

    /// Logs the failure, once, where it leaves the core: loudly when it is ours, quietly when it is
    /// the caller's.
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

/// In a flood, or while the database is down, a line for each request would be a flood of lines: one a second says how
/// many others there were. All of them are in the metrics.
static OVERLOADED: Throttle = Throttle::new();
static UNAVAILABLE: Throttle = Throttle::new();

struct Throttle {
    last: Mutex<Option<Instant>>,
    left_out: AtomicU64,
}

impl Throttle {
    const fn new() -> Self {
        Self { last: Mutex::new(None), left_out: AtomicU64::new(0) }
    }

    /// How many lines were left out since the last one, when it is time for another.
    fn take(&self) -> Option<u64> {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.left_out.swap(0, Ordering::Relaxed))
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
            TokenFault::WrongType => "the token is of the other kind",
            TokenFault::Revoked => "the token was taken back or its session has ended",
            TokenFault::RefreshEnded => "there is no later sliding token any more",
            TokenFault::Missing(_) => "the token of the old system lacks a claim",
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
