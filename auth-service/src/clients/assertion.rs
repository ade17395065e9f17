//! Assertions that clients authenticate with (RFC 7521 section 4.2, RFC 7523 section 3).

mod claims;
mod fault;

use shared_claims::strict::{FORBIDDEN, UnverifiedToken, WrongType};
use shared_claims::{KeySet, Refusal};

pub use claims::{AssertionClaims, SingleUse};
pub use fault::AssertionFault;

/// Longest assertion, in bytes: those of platforms have up to 3 KiB.
const MAX_BYTES: usize = 8 * 1024;

/// Types that it may say (RFC 10070; libraries from before it, and platforms, say `JWT` or nothing; JWT-SVID section 2.3). Any other
/// is a token for something else.
const TYPES: [&str; 3] = ["client-authentication+jwt", "JWT", "JOSE"];

/// A well-formed assertion whose signature has not been verified.
pub struct UnverifiedAssertion<'a> {
    token: UnverifiedToken<'a>,
    alg: String,
    kid: Option<String>,
}

impl<'a> UnverifiedAssertion<'a> {
    /// # Errors
    /// [`AssertionFault`].
    pub fn parse(unverified: &'a str) -> Result<Self, AssertionFault> {
        let token = UnverifiedToken::parse(unverified, MAX_BYTES).map_err(AssertionFault::Unreadable)?;
        let header = token.unverified_header().map_err(AssertionFault::Unreadable)?;
        if let Some(name) = FORBIDDEN.into_iter().find(|name| header.contains(name)) {
            return Err(AssertionFault::Header(name));
        }
        let typ = header.text("typ").map_err(|WrongType| AssertionFault::Type)?;
        if typ.is_some_and(|typ| !TYPES.iter().any(|known| typ.eq_ignore_ascii_case(known))) {
            return Err(AssertionFault::Type);
        }
        let alg = header.text("alg").ok().flatten().ok_or(AssertionFault::Header("alg"))?;
        let kid = header.text("kid").map_err(|WrongType| AssertionFault::Header("kid"))?;
        let (alg, kid) = (alg.to_owned(), kid.map(str::to_owned));
        drop(header);
        Ok(Self { token, alg, kid })
    }

    /// The key that it names.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Who it says that it is from.
    #[must_use]
    pub fn unverified_subject(&self) -> Option<String> {
        let claims = self.token.unverified_claims().ok()?;
        claims.text("sub").ok().flatten().map(str::to_owned)
    }

    /// Checks the signature with the keys of whom it should be from.
    ///
    /// # Errors
    /// [`AssertionFault`].
    pub fn verify(&self, keys: &KeySet) -> Result<AssertionClaims<'_>, AssertionFault> {
        let checked = keys.check_signature_by(self.kid(), &self.alg, &self.token);
        checked.map_err(|refusal| {
            let unknown = refusal == Refusal::UnknownKey;
            if unknown { AssertionFault::UnknownKey } else { AssertionFault::Signature(refusal) }
        })?;
        AssertionClaims::read(self.token.unverified_claims().map_err(AssertionFault::Unreadable)?)
    }
}
