//! The families of failures. An endpoint's table has one arm for each family that is not its own.

use crate::users::PasswordFault;

/// What a client did wrong at an OAuth endpoint, with the names of RFC 6749 section 5.2 where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthFault {
    /// Client authentication failed.
    InvalidClient,
    /// The client may not use this grant type, or not what it asks for.
    UnauthorizedClient,
    UnsupportedGrantType,
    /// The scope is malformed or exceeds what the client or session has.
    InvalidScope,
    /// The audience is malformed or not one of the client's (RFC 8707 section 2).
    InvalidTarget,
    /// Tokens of this type cannot be revoked (RFC 7009 section 2.2.1).
    UnsupportedTokenType,
    /// The code is not valid, with what the client may know of the reason (RFC 6749 section 5.2).
    InvalidGrant(&'static str),
    /// The user has not decided yet (RFC 8628 section 3.5).
    AuthorizationPending,
    /// As before, and the device asks too often.
    SlowDown,
    /// The user has refused.
    AccessDenied,
    /// The device code has expired.
    ExpiredDeviceCode,
    /// The `DPoP` header does not hold one proof for this request (RFC 9449 section 5).
    InvalidDpopProof,
    /// The proof has to name a nonce, which the answer brings (RFC 9449 section 8).
    UseDpopNonce,
}

/// Why a user is not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInFault {
    /// Unknown username, wrong password or disabled user: the caller cannot tell which.
    InvalidCredentials,
    /// The user of a valid token is disabled or deleted.
    AccountInactive,
    /// The password is right, and a one-time password is required.
    SecondFactorRequired,
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

/// What users cannot do with their own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountFault {
    /// The new password violates a rule.
    PasswordRefused(PasswordFault),
    /// A token from an e-mail that is invalid, expired or already used.
    LinkInvalid,
    /// The feature is disabled by a setting.
    NotOffered,
    /// The request conflicts with the current state.
    Conflict,
    /// Not found, or not the caller's.
    NotFound,
}

/// What operators cannot do. They may know the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminFault {
    /// An argument is malformed or violates a rule.
    Invalid,
    /// There is none of this name.
    NotFound,
    /// The name is taken.
    Taken,
    /// Others depend on it.
    InUse,
}
