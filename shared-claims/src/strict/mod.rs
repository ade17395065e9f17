//! The pre-parse in front of the signature check: a token that passes has one reading only.
//!
//! JSON parsers differ on duplicate members, byte order marks and lone surrogates; base64 decoders
//! differ on spare bits and padding. Each such difference lets a signer and a verifier, or two
//! verifiers, read two things in one token (RFC 8725 section 3.7). What is ambiguous is refused here.

mod compact;
mod json;
mod typed;

pub(crate) use compact::MAX_HEADER_BYTES;
pub use compact::{FORBIDDEN, UnverifiedHeader, UnverifiedToken};
pub use json::{Members, StrictValue, parse_object};
pub use typed::WrongType;
pub(crate) use typed::whole_seconds;

/// Longest token that is looked at, in bytes, unless a caller sets another cap.
pub const DEFAULT_MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Deepest nesting of arrays and objects in a header or payload.
pub const MAX_JSON_DEPTH: usize = 32;
