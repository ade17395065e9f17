//! Verification of access tokens: every knob is set once, when the verifier is built.

use std::sync::Arc;
use std::time::Duration;

use crate::binding::{Presented, bind};
use crate::claims::AccessClaims;
use crate::encryption::{DecryptionKeys, is_encrypted};
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::strict::{DEFAULT_MAX_TOKEN_BYTES, UnverifiedToken};

/// `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// A revocation is kept for so long after the tokens that it matches have expired.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// Accepts the access tokens of one issuer for one audience, and nothing else.
///
/// ```
/// use shared_claims::{KeySet, Refusal, Verifier};
///
/// # let jwks = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
/// let keys = KeySet::from_jwks(jwks)?;
/// let verifier = Verifier::new("https://auth.example.com", "orders");
/// assert_eq!(verifier.verify("no token", &keys, 1_780_000_000), Err(Refusal::NotCompact));
/// # Ok::<(), shared_claims::InvalidKeySet>(())
/// ```
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

/// A [`Verifier`] whose settings are not the defaults: 30 s leeway, at most 24 h between `iat` and `exp`, `typ: at+jwt`
/// only, no decryption keys, at most 8 KiB a token.
#[derive(Debug, Clone)]
#[must_use]
pub struct VerifierBuilder(Verifier);

impl VerifierBuilder {
    /// Clock difference that is allowed for `exp`, `nbf` and `iat`, in whole seconds: at most 60, for a revocation is kept
    /// for so long after `exp`.
    pub fn leeway(self, leeway: Duration) -> Self {
        let seconds = leeway.min(MAX_LEEWAY).as_secs();
        Self(Verifier { leeway: seconds, expiry_leeway: seconds, ..self.0 })
    }

    /// Clock difference that is allowed at the end of a token's life only.
    #[doc(hidden)]
    pub fn expiry_leeway(self, leeway: Duration) -> Self {
        Self(Verifier { expiry_leeway: leeway.min(MAX_LEEWAY).as_secs(), ..self.0 })
    }

    /// Longest accepted `exp - iat`: a token of ten years was issued by mistake.
    pub fn max_lifetime(self, lifetime: Duration) -> Self {
        Self(Verifier { max_life: lifetime.as_secs(), ..self.0 })
    }

    /// Opens tokens that are encrypted to one of these keys, and then verifies what is inside. Without keys
    /// every token of five parts is refused.
    pub fn decryption(self, keys: DecryptionKeys) -> Self {
        Self(Verifier { decryption: Some(Arc::new(keys)), ..self.0 })
    }

    /// Accepts `typ: JWT` beside at+jwt, for an audience that was registered with it. Weaker: of a token that says no
    /// more of itself, only its audience shows that it is an access token (RFC 9068 section 2.1, RFC 8725 section 3.11).
    pub fn plain_jwt(self) -> Self {
        Self(Verifier { plain_jwt: true, ..self.0 })
    }

    /// The verifier.
    #[must_use]
    pub fn build(self) -> Verifier {
        self.0
    }
}

impl Verifier {
    /// A verifier with the defaults of [`VerifierBuilder`].
    ///
    /// `issuer` and `audience` are compared byte by byte (RFC 9068 section 4).
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::builder(issuer, audience).build()
    }

    /// The same, with settings to change.
    pub fn builder(issuer: impl Into<String>, audience: impl Into<String>) -> VerifierBuilder {
        let VerifierBuilder(any) = Self::of_any_audience(issuer);
        VerifierBuilder(Self { audience: Some(audience.into()), ..any })
    }

    /// For the authority itself, when it answers questions about tokens that are meant for others.
    /// A resource server that used this would accept tokens stolen at another one.
    #[doc(hidden)]
    pub fn of_any_audience(issuer: impl Into<String>) -> VerifierBuilder {
        VerifierBuilder(Self {
            issuer: issuer.into(),
            audience: None,
            leeway: 30,
            expiry_leeway: 30,
            max_life: 24 * 60 * 60,
            max_bytes: DEFAULT_MAX_TOKEN_BYTES,
            decryption: None,
            plain_jwt: false,
        })
    }

    /// Whether this token is opened with an RSA key, which takes milliseconds.
    #[cfg(feature = "guard")]
    pub(crate) fn opens_with_rsa(&self, unverified_token: &str) -> bool {
        let Some(keys) = &self.decryption else { return false };
        is_encrypted(unverified_token) && keys.opens_with_rsa(unverified_token)
    }

    /// Verifies a token at `now`, in seconds since the epoch, for anyone who bears it.
    ///
    /// # Errors
    /// [`Refusal`], also for a token that is bound to a key or a certificate. Neither proofs nor revocations are looked at: a
    /// [`Guard`](crate::Guard) does all of it.
    pub fn verify(&self, unverified_token: &str, keys: &KeySet, now: u64) -> Result<AccessClaims, Refusal> {
        let claims = self.verify_before_binding(unverified_token, keys, now)?;
        bind(&claims, Presented::Bearer)?;
        Ok(claims)
    }

    /// The same, but for whether the token may be used by who presents it: that is still to be asked.
    #[doc(hidden)]
    pub fn verify_before_binding(
        &self,
        unverified_token: &str,
        keys: &KeySet,
        now: u64,
    ) -> Result<AccessClaims, Refusal> {
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
