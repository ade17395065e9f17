//! Why a token was refused. The words are for the operator's log: callers of a protected endpoint
//! learn no more than `invalid_token` (RFC 6750 section 3.1), or they could probe key by key.

use std::fmt;

/// The reason of a refusal. No variant carries a value out of the token, so that it can be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than the size cap.
    TooLong,
    /// Not three segments of canonical base64url (RFC 7515 section 3.1, RFC 4648 section 3.5).
    NotCompact,
    /// Header or payload is not one JSON object, in UTF-8, without duplicate members, within the depth cap.
    NotStrictJson,
    /// A header parameter that changes what the signature means, or where trust comes from.
    ForbiddenHeader(&'static str),
    /// `alg` is missing, not a string, or not an algorithm of the key.
    Algorithm,
    /// `kid` is missing, empty, longer than 128 bytes or not a string.
    KeyId,
    /// No key of the issuer has this `kid`.
    UnknownKey,
    /// The signature does not verify.
    Signature,
    /// `typ` is another kind of token (RFC 8725 section 3.11).
    Type,
    /// A required claim is missing, or a claim has another type or range than its definition.
    Claim(&'static str),
    /// `iss` is not the configured issuer.
    Issuer,
    /// `aud` does not hold this resource server.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
    /// `exp - iat` exceeds the longest life that this verifier accepts.
    LivesTooLong,
    /// A nested token that cannot be opened here.
    Encryption,
    /// Revoked by the authority.
    Revoked,
    /// Bound to a key or a certificate that was not shown (RFC 9449 section 7.1, RFC 8705 section 3).
    Unproved,
    /// Presented with a proof, and bound to no key.
    NotBound,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("longer than the size cap"),
            Self::NotCompact => f.write_str("not a compact serialisation of three segments"),
            Self::NotStrictJson => f.write_str("header or payload is not strict JSON"),
            Self::ForbiddenHeader(name) => write!(f, "header parameter `{name}` is not allowed"),
            Self::Algorithm => f.write_str("algorithm does not fit the key"),
            Self::KeyId => f.write_str("missing or malformed key id"),
            Self::UnknownKey => f.write_str("unknown key id"),
            Self::Signature => f.write_str("signature does not verify"),
            Self::Type => f.write_str("another kind of token"),
            Self::Claim(name) => write!(f, "claim `{name}` is missing or malformed"),
            Self::Issuer => f.write_str("another issuer"),
            Self::Audience => f.write_str("another audience"),
            Self::Expired => f.write_str("expired"),
            Self::NotYetValid => f.write_str("not valid yet"),
            Self::LivesTooLong => f.write_str("lives longer than this verifier accepts"),
            Self::Encryption => f.write_str("the encrypted token cannot be opened"),
            Self::Revoked => f.write_str("revoked"),
            Self::Unproved => f.write_str("bound to a key or certificate that the request does not show"),
            Self::NotBound => f.write_str("presented with a proof and bound to no key"),
        }
    }
}

impl std::error::Error for Refusal {}
