//! The issuer's public keys (RFC 7517), checked one by one before any of them is used.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Refusal;
use crate::strict::{Members, StrictValue, UnverifiedHeader, UnverifiedToken, parse_object};

/// Largest JWKS that is read, in bytes.
pub const MAX_JWKS_BYTES: usize = 64 * 1024;

/// Most keys in one set.
pub const MAX_KEYS: usize = 50;

/// Members that only a private or symmetric key has (RFC 7518 section 6).
pub(crate) const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// The algorithms that are verified. One key has one of them (RFC 8725 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// P-256 with SHA-256.
    Es256,
    /// P-384 with SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

impl SignatureAlgorithm {
    /// As metadata lists them (RFC 8414 section 2).
    pub const NAMES: [&str; 6] = ["ES256", "EdDSA", "Ed25519", "ES384", "PS256", "RS256"];

    /// Reads a JWS `alg`; `Ed25519` (RFC 9864) is the same as `EdDSA` here. Case matters.
    #[must_use]
    pub fn parse(alg: &str) -> Option<Self> {
        match alg {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            _ => None,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::EdDsa => &signature::ED25519,
            Self::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Self::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Self::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        }
    }
}

/// Why a key, or a whole set, was not taken. Sets come from one pinned place, so the operator is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeySet {
    /// Larger than a key set may be.
    #[error("the key set is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// Not a JSON object with an array `keys` (RFC 7517 section 5).
    #[error("the key set is not strict JSON with a `keys` array")]
    NotAKeySet,
    /// More keys than may be, and how many.
    #[error("the key set holds {0} keys, more than {MAX_KEYS}")]
    TooManyKeys(usize),
    /// No key is one to verify with.
    #[error("the key set holds no key that can verify a signature")]
    NoUsableKey,
    /// The key with this index has the `kid` of another one.
    #[error("two keys share the key id of key {0}")]
    DuplicateKeyId(usize),
    /// The key with this index has a private member.
    #[error("key {0} has a private or symmetric member")]
    PrivateMember(usize),
    /// The key with this index cannot be used, and why.
    #[error("key {0}: {1}")]
    Key(usize, &'static str),
}

/// What the keys of a set are for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeyUse {
    Signatures,
    JwtSvids,
}

impl KeyUse {
    fn is_use_of(self, jwk: &Members<'_>) -> bool {
        let marked = jwk.get("use").map(StrictValue::as_str);
        match self {
            Self::Signatures => marked.is_none() || marked == Some(Some("sig")),
            Self::JwtSvids => marked == Some(Some("jwt-svid")),
        }
    }
}

/// One public key, parsed once: to parse an RSA key costs a sixth of a verification with it.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: SignatureAlgorithm,
    key: ParsedPublicKey,
}

/// A JWKS that was accepted as a whole. A copy is the same set.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Arc<HashMap<String, PublicKey>>,
}

impl KeySet {
    /// Reads a JWKS.
    ///
    /// Keys of a type or algorithm that is unknown here, or marked for encryption, are passed over
    /// (RFC 7517 section 5); a key that is known and wrong refuses the whole set, so that the last
    /// good one stays in use.
    ///
    /// # Errors
    /// [`InvalidKeySet`], by the place of the key in the set, counted from 0.
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, InvalidKeySet> {
        Self::read(bytes, KeyUse::Signatures)
    }

    /// Reads the bundle of a SPIFFE trust domain: its keys for JWT-SVIDs alone (SPIFFE Trust Domain and Bundle section 4.2.2).
    ///
    /// # Errors
    /// As [`Self::from_jwks`].
    pub fn from_spiffe_bundle(bytes: &[u8]) -> Result<Self, InvalidKeySet> {
        Self::read(bytes, KeyUse::JwtSvids)
    }

    fn read(bytes: &[u8], wanted: KeyUse) -> Result<Self, InvalidKeySet> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(InvalidKeySet::TooLarge);
        }
        let mut document = parse_object(bytes).ok_or(InvalidKeySet::NotAKeySet)?;
        let Some(StrictValue::Array(items)) = document.take("keys") else {
            return Err(InvalidKeySet::NotAKeySet);
        };
        if items.len() > MAX_KEYS {
            return Err(InvalidKeySet::TooManyKeys(items.len()));
        }
        let mut keys = HashMap::new();
        for (place, item) in items.iter().enumerate() {
            let StrictValue::Object(jwk) = item else { return Err(InvalidKeySet::NotAKeySet) };
            let Some((kid, key)) = PublicKey::from_jwk(place, jwk, wanted)? else { continue };
            if keys.insert(kid, key).is_some() {
                return Err(InvalidKeySet::DuplicateKeyId(place));
            }
        }
        if keys.is_empty() {
            return Err(InvalidKeySet::NoUsableKey);
        }
        Ok(Self { keys: Arc::new(keys) })
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether both are copies of one set; two that were read from the same text are not.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.keys, &other.keys)
    }

    /// The ids of all keys.
    #[must_use]
    pub fn kids(&self) -> Vec<String> {
        self.keys.keys().cloned().collect()
    }

    /// Whether there is a key with this `kid`.
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// The key with this `kid`.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)
    }

    /// Checks the signature of a token with the one key that its `kid` names.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`], [`Refusal::Algorithm`] when `alg` is not that of the key, or
    /// [`Refusal::Signature`].
    pub fn check_signature(
        &self,
        header: &UnverifiedHeader<'_>,
        token: &UnverifiedToken<'_>,
    ) -> Result<(), Refusal> {
        let key = self.get(&header.kid).ok_or(Refusal::UnknownKey)?;
        key.check(SignatureAlgorithm::parse(&header.alg), token)
    }

    /// Checks the signature of a token whose issuer need not name its key (RFC 7515 section 4.1.4): without `kid` with the only
    /// key for its `alg`.
    ///
    /// # Errors
    /// [`Refusal::UnknownKey`], also where several keys would do; [`Refusal::Algorithm`] when `alg` is unknown or not that of the
    /// key; [`Refusal::Signature`].
    pub fn check_signature_by(
        &self,
        kid: Option<&str>,
        alg: &str,
        token: &UnverifiedToken<'_>,
    ) -> Result<(), Refusal> {
        let algorithm = SignatureAlgorithm::parse(alg).ok_or(Refusal::Algorithm)?;
        let key = match kid {
            Some(kid) => self.get(kid).ok_or(Refusal::UnknownKey)?,
            None => {
                let mut fitting = self.keys.values().filter(|key| key.algorithm == algorithm);
                fitting.next().filter(|_| fitting.next().is_none()).ok_or(Refusal::UnknownKey)?
            }
        };
        key.check(Some(algorithm), token)
    }
}

impl PublicKey {
    /// Checks a signature as a JWS holds it (RFC 7518 section 3).
    ///
    /// # Errors
    /// [`Refusal::Signature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        self.key.verify_sig(message, signature).map_err(|_| Refusal::Signature)
    }

    /// Checks the signature of a token that names this algorithm.
    fn check(&self, named: Option<SignatureAlgorithm>, token: &UnverifiedToken<'_>) -> Result<(), Refusal> {
        if named != Some(self.algorithm) {
            return Err(Refusal::Algorithm);
        }
        self.verify(token.signing_input.as_bytes(), token.signature())
    }

    fn from_jwk(
        place: usize,
        jwk: &Members<'_>,
        wanted: KeyUse,
    ) -> Result<Option<(String, Self)>, InvalidKeySet> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains(name)) || text(jwk, "kty") == Some("oct") {
            return Err(InvalidKeySet::PrivateMember(place));
        }
        let wrong = |why| InvalidKeySet::Key(place, why);
        if !wanted.is_use_of(jwk) {
            return Ok(None);
        }
        if let Some(operations) = jwk.get("key_ops") {
            let verifies =
                operations.as_array().is_some_and(|ops| ops.iter().any(|op| op.as_str() == Some("verify")));
            if !verifies {
                return Ok(None);
            }
        }
        let Some(algorithm) = algorithm_of(jwk, wanted).map_err(wrong)? else { return Ok(None) };
        let kid = text(jwk, "kid").filter(|kid| !kid.is_empty()).ok_or(wrong("it has no `kid`"))?;
        let key = parsed_key(jwk, algorithm).map_err(wrong)?;
        Ok(Some((kid.to_owned(), Self { algorithm, key })))
    }
}

/// The one algorithm of a key: its `alg`, or what its type and curve leave open to no choice.
fn algorithm_of(jwk: &Members<'_>, wanted: KeyUse) -> Result<Option<SignatureAlgorithm>, &'static str> {
    use SignatureAlgorithm::{EdDsa, Es256, Es384, Ps256, Rs256};
    let named = match jwk.get("alg") {
        None => None,
        Some(StrictValue::Text(alg)) => match SignatureAlgorithm::parse(alg) {
            Some(known) => Some(known),
            None => return Ok(None),
        },
        Some(_) => return Err("`alg` is not a string"),
    };
    let possible: &[SignatureAlgorithm] = match (text(jwk, "kty"), text(jwk, "crv")) {
        (Some("OKP"), Some("Ed25519")) => &[EdDsa],
        (Some("EC"), Some("P-256")) => &[Es256],
        (Some("EC"), Some("P-384")) => &[Es384],
        // Bundles name no algorithm.
        (Some("RSA"), None) if wanted == KeyUse::JwtSvids => &[Rs256],
        (Some("RSA"), None) => &[Rs256, Ps256],
        (Some("OKP" | "EC" | "RSA"), _) if named.is_some() => return Err("`crv` does not fit `alg`"),
        _ => return Ok(None),
    };
    match (named, possible) {
        (Some(alg), _) if possible.contains(&alg) => Ok(Some(alg)),
        (Some(_), _) => Err("`alg` does not fit the key type"),
        (None, [only]) => Ok(Some(*only)),
        (None, _) => Err("an RSA key must name its `alg`"),
    }
}

pub(crate) fn parsed_key(
    jwk: &Members<'_>,
    algorithm: SignatureAlgorithm,
) -> Result<ParsedPublicKey, &'static str> {
    let (encoded, otherwise) = match algorithm {
        SignatureAlgorithm::EdDsa => (octets(jwk, "x")?, "`x` is not an Ed25519 public key"),
        SignatureAlgorithm::Es256 => (point(jwk, 32)?, "the point is not on the curve"),
        SignatureAlgorithm::Es384 => (point(jwk, 48)?, "the point is not on the curve"),
        SignatureAlgorithm::Rs256 | SignatureAlgorithm::Ps256 => (rsa(jwk)?, "not an RSA public key"),
    };
    ParsedPublicKey::new(algorithm.verification(), encoded).map_err(|_| otherwise)
}

/// `0x04 || x || y` (SEC 1 section 2.3.3).
pub(crate) fn point(jwk: &Members<'_>, width: usize) -> Result<Vec<u8>, &'static str> {
    let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
    if x.len() != width || y.len() != width {
        return Err("a coordinate has the wrong length");
    }
    Ok([&[0x04], x.as_slice(), y.as_slice()].concat())
}

/// A SubjectPublicKeyInfo, which is how aws-lc-rs takes a key that it keeps parsed.
fn rsa(jwk: &Members<'_>) -> Result<Vec<u8>, &'static str> {
    let encoded: PublicKeyX509Der<'_> = rsa_key(jwk)?.as_der().map_err(|_| "not an RSA public key")?;
    Ok(encoded.as_ref().to_vec())
}

pub(crate) fn rsa_key(jwk: &Members<'_>) -> Result<PublicEncryptingKey, &'static str> {
    let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
    check_rsa_numbers(&n, &e)?;
    let numbers = RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() };
    numbers.try_into().map_err(|_| "not an RSA public key")
}

/// The name of a key (RFC 7638 section 3): SHA-256 of its required members as JSON, in lexicographic order and
/// without space, in base64url.
#[must_use]
pub fn thumbprint(required_members: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, required_members.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref())
}

/// Modulus of 2048 to 8192 bits, odd, without leading zeros; exponent odd, 65537 or more, up to 32 bits.
///
/// # Errors
/// What is wrong with the key, in words.
pub fn check_rsa_numbers(n: &[u8], e: &[u8]) -> Result<(), &'static str> {
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if n.first() == Some(&0) || !(2048..=8192).contains(&bits) {
        return Err("the RSA modulus is not 2048 to 8192 bits long");
    }
    if n.last().is_some_and(|last| last % 2 == 0) {
        return Err("the RSA modulus is even");
    }
    if has_roca_fingerprint(n) {
        return Err("the RSA modulus has the ROCA weakness (CVE-2017-15361)");
    }
    let exponent = e.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    if e.len() > 4 || exponent < 65_537 || exponent % 2 == 0 {
        return Err("the RSA exponent is not odd and 65537 or more");
    }
    Ok(())
}

/// Infineon's library made primes of the form `k*M + 65537^a mod M` with `M` a product of small primes,
/// so that their product is a power of 65537 modulo each of these (Nemec et al., CCS 2017, section 2.3).
/// A random modulus passes for one with a probability below 2^-27.
fn has_roca_fingerprint(n: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let remainder = n.iter().fold(0, |sum, byte| (sum * 256 + u32::from(*byte)) % prime);
        let power = |last: &u32| Some(last * 65_537 % prime);
        std::iter::successors(Some(1), power).take(*prime as usize).any(|power| power == remainder)
    })
}

pub(crate) fn text<'a>(jwk: &'a Members<'_>, name: &str) -> Option<&'a str> {
    jwk.get(name).and_then(StrictValue::as_str)
}

pub(crate) fn octets(jwk: &Members<'_>, name: &'static str) -> Result<Vec<u8>, &'static str> {
    let text = text(jwk, name).ok_or("a member of the public key is missing")?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| "a member of the public key is not base64url")
}
