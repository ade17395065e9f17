//! A time that the authority signs and sends along (`typ: feed-time+jwt`). Without it, anyone who stands between a
//! verifier and the authority could repeat an old "there is nothing newer" for ever.

use super::document::{number, text};
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::strict::{DEFAULT_MAX_TOKEN_BYTES, UnverifiedToken};

/// `typ` of a signed time.
pub const SIGNED_TIME_TYPE: &str = "feed-time+jwt";

/// How far a signed time may be from the verifier's clock, in seconds: the leeway for tokens.
pub const CURRENT_SECONDS: u64 = 30;

/// When the authority said something, and of which history, by its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedTime {
    /// Seconds since the epoch.
    pub issued_at: u64,
    /// The history that its revocations count in.
    pub epoch: u64,
}

impl SignedTime {
    /// Verifies a signed time of an issuer.
    ///
    /// # Errors
    /// [`Refusal`] as for a token: form, signature, `typ`, issuer, or a malformed claim.
    pub fn read(unverified: &str, issuer: &str, keys: &KeySet) -> Result<Self, Refusal> {
        let token = UnverifiedToken::parse(unverified, DEFAULT_MAX_TOKEN_BYTES)?;
        let header = token.header()?;
        if !header.is_of_type(SIGNED_TIME_TYPE) {
            return Err(Refusal::Type);
        }
        keys.check_signature(&header, &token)?;
        let claims = token.unverified_claims()?;
        if text(&claims, "iss")? != issuer {
            return Err(Refusal::Issuer);
        }
        Ok(Self { issued_at: number(&claims, "iat")?, epoch: number(&claims, "epoch")? })
    }
}

/// Whether what was signed at `issued_at` is news at `now`, both in seconds since the epoch.
#[must_use]
pub fn is_current(issued_at: u64, now: u64) -> bool {
    issued_at.abs_diff(now) <= CURRENT_SECONDS
}
