//! Verification of access tokens: every knob is set once, when the verifier is made.

use std::sync::Arc;

use crate::claims::AccessClaims;
use crate::encryption::{DecryptionKeys, is_encrypted};
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::strict::{DEFAULT_MAX_TOKEN_BYTES, UnverifiedToken};

/// `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

const MAX_LEEWAY: u64 = 60;

/// Accepts the access tokens of one issuer for one audience, and nothing else.
#[derive(Debug, Clone)]
pub struct Verifier {
    issuer: String,
    /// `None` only at the authority itself, which reads the tokens of every audience.
    audience: Option<String>,
    leeway: u64,
    expiry_leeway: u64,
    max_life: u64,
    max_bytes: usize,
    /// Of an audience that has registered an encryption key.
    decryption: Option<Arc<DecryptionKeys>>,
    plain_jwt: bool,
}

impl Verifier {
    /// A verifier with 30 s leeway, a size cap of 8 KiB and at most 24 h between `iat` and `exp`.
    ///
    /// `issuer` and `audience` are compared byte by byte (RFC 9068 section 4).
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { audience: Some(audience.into()), ..Self::of_any_audience(issuer) }
    }

    /// For the authority itself, when it answers questions about tokens that are meant for others.
    /// A resource server that used this would accept tokens stolen at another one.
    #[must_use]
    pub fn of_any_audience(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: None,
            leeway: 30,
            expiry_leeway: 30,
            max_life: 24 * 60 * 60,
            max_bytes: DEFAULT_MAX_TOKEN_BYTES,
            decryption: None,
            plain_jwt: false,
        }
    }

    /// Clock difference that is allowed, in seconds, for `exp`, `nbf` and `iat`: at most 60, for what was
    /// revoked is remembered for so long beyond `exp`.
    #[must_use]
    pub fn with_leeway(self, seconds: u64) -> Self {
        let seconds = seconds.min(MAX_LEEWAY);
        Self { leeway: seconds, expiry_leeway: seconds, ..self }
    }

    /// Clock difference that is allowed at the end of a token's life only.
    #[must_use]
    pub fn with_expiry_leeway(self, seconds: u64) -> Self {
        Self { expiry_leeway: seconds.min(MAX_LEEWAY), ..self }
    }

    /// Longest accepted `exp - iat`, in seconds: a token of ten years was issued by mistake.
    #[must_use]
    pub fn with_max_life(self, seconds: u64) -> Self {
        Self { max_life: seconds, ..self }
    }

    /// Opens tokens that are encrypted to one of these keys, and then verifies what is inside. Without keys
    /// every token of five parts is refused.
    #[must_use]
    pub fn with_decryption(self, keys: DecryptionKeys) -> Self {
        Self { decryption: Some(Arc::new(keys)), ..self }
    }

    /// Whether this token is opened with an RSA key, which takes milliseconds.
    #[cfg(feature = "authority")]
    pub(crate) fn opens_with_rsa(&self, unverified_token: &str) -> bool {
        let Some(keys) = &self.decryption else { return false };
        is_encrypted(unverified_token) && keys.opens_with_rsa(unverified_token)
    }

    /// Accepts `typ: JWT` beside at+jwt, for an audience that was registered with it. Weaker: of a token that says no
    /// more of itself, only its audience tells that it is an access token (RFC 9068 section 2.1, RFC 8725 section 3.11).
    #[must_use]
    pub fn with_plain_jwt(self) -> Self {
        Self { plain_jwt: true, ..self }
    }

    /// Verifies a token at `now`, in seconds since the epoch.
    ///
    /// # Errors
    /// [`Refusal`]; revocation is the caller's next question, see [`crate::revocations`].
    pub fn verify(&self, unverified_token: &str, keys: &KeySet, now: u64) -> Result<AccessClaims, Refusal> {
        match &self.decryption {
            Some(decryption) if is_encrypted(unverified_token) => {
                self.check_length(unverified_token)?;
                // Encryption proves nothing: anyone can encrypt.
                self.verify_signed(&decryption.open(unverified_token)?, keys, now)
            }
            _ => self.verify_signed(unverified_token, keys, now),
        }
    }

    fn verify_signed(
        &self,
        unverified_token: &str,
        keys: &KeySet,
        now: u64,
    ) -> Result<AccessClaims, Refusal> {
        let token = UnverifiedToken::parse(unverified_token, self.max_bytes)?;
        let header = token.header()?;
        let accepted = header.is_of_type(ACCESS_TOKEN_TYPE) || (self.plain_jwt && header.is_of_type("JWT"));
        if !accepted {
            return Err(Refusal::Type);
        }
        // Before the claims are read: to read what a stranger made up may cost more than to see that it is made up.
        keys.check_signature(&header, &token)?;
        let claims = AccessClaims::from_members(token.unverified_claims()?)?;
        self.check_parties(&claims)?;
        self.check_times(&claims, now)?;
        Ok(claims)
    }

    pub(crate) fn check_length(&self, unverified_token: &str) -> Result<(), Refusal> {
        if unverified_token.len() > self.max_bytes { Err(Refusal::TooLong) } else { Ok(()) }
    }

    fn check_parties(&self, claims: &AccessClaims) -> Result<(), Refusal> {
        if claims.iss != self.issuer {
            return Err(Refusal::Issuer);
        }
        match &self.audience {
            Some(audience) if !claims.aud.contains(audience) => Err(Refusal::Audience),
            _ => Ok(()),
        }
    }

    pub(crate) fn check_times(&self, claims: &AccessClaims, now: u64) -> Result<(), Refusal> {
        if now >= claims.exp + self.expiry_leeway {
            return Err(Refusal::Expired);
        }
        let latest_start = now + self.leeway;
        if claims.iat > latest_start || claims.nbf.is_some_and(|nbf| nbf > latest_start) {
            return Err(Refusal::NotYetValid);
        }
        match claims.exp.checked_sub(claims.iat) {
            None => Err(Refusal::Claim("exp")),
            Some(life) if life > self.max_life => Err(Refusal::LivesTooLong),
            Some(_) => Ok(()),
        }
    }
}
