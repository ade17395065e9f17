//! One vocabulary of failures for the whole core. The endpoints translate it by exhaustive tables:
//! `http/oauth/errors.rs`, `http/simplejwt/errors.rs`, `http/account/errors.rs` and `grpc/status.rs`.
//!
//! Each failure has two messages: what the caller may know follows from the kind, what the operator
//! must know is the cause. The cause is logged once, at the endpoint, and never sent.

mod families;
mod log;

use std::fmt;
use std::time::Duration;

use crate::secret::NoRandomness;
use crate::users::{HasherBusy, PasswordFault};

pub use families::{AccountFault, AdminFault, MissingPart, OAuthFault, SignInFault, TokenFault};

/// A failure of a use case.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// For the operator; holds no secret, no token and no claim value.
    pub cause: String,
}

/// What failed: what any endpoint can answer, and the families, each of which belongs to some of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// `invalid_request`, with a hint that names the parameter.
    InvalidRequest(&'static str),
    OAuth(OAuthFault),
    SignIn(SignInFault),
    /// The presented token is not valid.
    Token(TokenFault),
    Account(AccountFault),
    Admin(AdminFault),
    /// Too many failed attempts: try again after this many seconds.
    TooManyAttempts(u32),
    /// Refused for load, before any work was done. A retry may succeed.
    Overloaded,
    /// The database is unavailable; nothing was stored.
    Unavailable,
    /// A defect, or a failure of the machine.
    Internal,
}

impl ErrorKind {
    /// Every kind, for the test that compares the error tables.
    pub const ALL: [Self; 38] = [
        Self::InvalidRequest("the parameter `x` is missing"),
        Self::OAuth(OAuthFault::InvalidClient),
        Self::OAuth(OAuthFault::UnauthorizedClient),
        Self::OAuth(OAuthFault::UnsupportedGrantType),
        Self::OAuth(OAuthFault::InvalidScope),
        Self::OAuth(OAuthFault::InvalidTarget),
        Self::OAuth(OAuthFault::UnsupportedTokenType),
        Self::OAuth(OAuthFault::InvalidGrant("the code has expired")),
        Self::OAuth(OAuthFault::AuthorizationPending),
        Self::OAuth(OAuthFault::SlowDown),
        Self::OAuth(OAuthFault::AccessDenied),
        Self::OAuth(OAuthFault::ExpiredDeviceCode),
        Self::OAuth(OAuthFault::InvalidDpopProof),
        Self::OAuth(OAuthFault::UseDpopNonce),
        Self::SignIn(SignInFault::InvalidCredentials),
        Self::SignIn(SignInFault::AccountInactive),
        Self::SignIn(SignInFault::SecondFactorRequired),
        Self::Token(TokenFault::Invalid),
        Self::Token(TokenFault::Expired),
        Self::Token(TokenFault::WrongType),
        Self::Token(TokenFault::Revoked),
        Self::Token(TokenFault::RefreshEnded),
        Self::Token(TokenFault::Missing(MissingPart::Expiry)),
        Self::Token(TokenFault::Missing(MissingPart::Id)),
        Self::Token(TokenFault::Missing(MissingPart::Type)),
        Self::Account(AccountFault::PasswordRefused(PasswordFault::Breached)),
        Self::Account(AccountFault::LinkInvalid),
        Self::Account(AccountFault::NotOffered),
        Self::Account(AccountFault::Conflict),
        Self::Account(AccountFault::NotFound),
        Self::Admin(AdminFault::Invalid),
        Self::Admin(AdminFault::NotFound),
        Self::Admin(AdminFault::Taken),
        Self::Admin(AdminFault::InUse),
        Self::TooManyAttempts(60),
        Self::Overloaded,
        Self::Unavailable,
        Self::Internal,
    ];
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: impl Into<ErrorKind>, cause: impl Into<String>) -> Self {
        Self { kind: kind.into(), cause: cause.into() }
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
            ErrorKind::InvalidRequest(_)
            | ErrorKind::OAuth(_)
            | ErrorKind::SignIn(_)
            | ErrorKind::Token(_)
            | ErrorKind::Account(_)
            | ErrorKind::Admin(_)
            | ErrorKind::Internal => None,
        }
    }
}

impl From<OAuthFault> for ErrorKind {
    fn from(fault: OAuthFault) -> Self {
        Self::OAuth(fault)
    }
}

impl From<SignInFault> for ErrorKind {
    fn from(fault: SignInFault) -> Self {
        Self::SignIn(fault)
    }
}

impl From<TokenFault> for ErrorKind {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

impl From<AccountFault> for ErrorKind {
    fn from(fault: AccountFault) -> Self {
        Self::Account(fault)
    }
}

impl From<AdminFault> for ErrorKind {
    fn from(fault: AdminFault) -> Self {
        Self::Admin(fault)
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
        Self::new(AccountFault::PasswordRefused(fault), fault.message())
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
        Self::new(fault, cause)
    }
}
