use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::agreement::{Algorithm, ECDH_P256, PrivateKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::rsa::{
    KeyPair as RsaKeyPair, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::encryption_key::public_jwk;
use super::key_agreement::{KdfContext, agreed_key};
use super::{A256GCM, ECDH_ES, RSA_OAEP_256, content};
use crate::error::Refusal;
use crate::public_keys::thumbprint;
use crate::strict::{MAX_HEADER_BYTES, Members, StrictValue, parse_object};

/// PKCS#8 of an X25519 key up to its 32 octets (RFC 8410 section 7).
const X25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

/// Largest RSA key, in bytes of its modulus: anybody can make a token that has to be opened first, and with 4096 bits
/// that takes as long as verifying a hundred. ECDH takes a tenth of that.
const MAX_RSA_BYTES: usize = 384;

/// The header parameters of the profile; any other refuses the token.
const KNOWN: [&str; 8] = ["alg", "enc", "cty", "typ", "kid", "epk", "apu", "apv"];

/// The private keys of an audience, by their thumbprints (RFC 7638). They open tokens and can make none.
pub struct DecryptionKeys {
    keys: HashMap<String, (Value, Private)>,
}

enum Private {
    Agreement(PrivateKey),
    Rsa(Box<OaepPrivateDecryptingKey>),
}

/// The file holds no key that can open tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidDecryptionKey(&'static str);

/// Names the keys, and shows none.
impl fmt::Debug for DecryptionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.keys()).finish()
    }
}

impl DecryptionKeys {
    /// A new X25519 key in PEM (PKCS#8), to be kept by the audience.
    ///
    /// # Errors
    /// [`InvalidDecryptionKey`] when the system's randomness fails.
    pub fn generate_pem() -> Result<Zeroizing<String>, InvalidDecryptionKey> {
        let failed = InvalidDecryptionKey("the key could not be generated");
        let key = PrivateKey::generate(&X25519).map_err(|_| failed)?;
        let octets: Curve25519SeedBin<'_> = key.as_be_bytes().map_err(|_| failed)?;
        let der = Zeroizing::new([X25519_PKCS8.as_slice(), octets.as_ref()].concat());
        let text = Zeroizing::new(STANDARD.encode(&*der));
        Ok(Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *text)))
    }

    /// Reads every `PRIVATE KEY` block (PKCS#8) of a PEM text: X25519 or P-256.
    ///
    /// # Errors
    /// [`InvalidDecryptionKey`] when there is none, or one that is something else.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidDecryptionKey> {
        let keys = Self::from_pem_with_rsa(pem)?;
        if keys.has_rsa() {
            return Err(InvalidDecryptionKey(
                "an RSA key, which was not allowed: opening a token takes ten times as long",
            ));
        }
        Ok(keys)
    }

    /// Whether the key that a token names is an RSA key.
    #[must_use]
    pub fn opens_with_rsa(&self, unverified_token: &str) -> bool {
        if !self.has_rsa() {
            return false;
        }
        let header = unverified_token.split('.').next().unwrap_or_default();
        // Longer ones are refused unread.
        if header.len() > MAX_HEADER_BYTES * 2 {
            return false;
        }
        let Ok(header) = URL_SAFE_NO_PAD.decode(header) else { return false };
        let named = parse_object(&header);
        let kid = named.as_ref().and_then(|named| named.get("kid")).and_then(StrictValue::as_str);
        kid.and_then(|kid| self.keys.get(kid)).is_some_and(|(_, private)| matches!(private, Private::Rsa(_)))
    }

    /// Whether an RSA key is among them.
    #[must_use]
    pub fn has_rsa(&self) -> bool {
        self.keys.values().any(|(_, private)| matches!(private, Private::Rsa(_)))
    }

    /// Reads RSA keys of 2048 to 3072 bits as well. Anyone can send a token that has to be opened before anything is
    /// known about it, and with RSA that takes milliseconds: `Guard::authenticate_in_loop` opens it on another thread.
    ///
    /// # Errors
    /// As [`DecryptionKeys::from_pem`].
    pub fn from_pem_with_rsa(pem: &[u8]) -> Result<Self, InvalidDecryptionKey> {
        let mut keys = HashMap::new();
        for der in PrivatePkcs8KeyDer::pem_slice_iter(pem) {
            let der = der.map_err(|_| InvalidDecryptionKey("the PEM is malformed"))?;
            let (jwk, private) = Private::from_pkcs8(der.secret_pkcs8_der())?;
            keys.insert(thumbprint(&jwk.to_string()), (jwk, private));
        }
        if keys.is_empty() {
            return Err(InvalidDecryptionKey("no `PRIVATE KEY` block (PKCS#8) in the file"));
        }
        Ok(Self { keys })
    }

    /// The public halves as a JWKS, to be registered at the authority.
    #[must_use]
    pub fn public_jwks(&self) -> Value {
        let public = |(kid, (jwk, private)): (&String, &(Value, Private))| {
            let mut jwk = jwk.clone();
            jwk["kid"] = json!(kid);
            jwk["use"] = json!("enc");
            jwk["alg"] = json!(private.algorithm());
            jwk
        };
        json!({"keys": self.keys.iter().map(public).collect::<Vec<_>>()})
    }

    /// Opens a JWE in compact serialisation (RFC 7516 section 5.2): the signed token inside, of which nothing
    /// is known yet. Anyone who has the public key can make one.
    ///
    /// # Errors
    /// [`Refusal::NotCompact`], [`Refusal::NotStrictJson`], [`Refusal::ForbiddenHeader`],
    /// [`Refusal::UnknownKey`], or [`Refusal::Encryption`] for whatever else is wrong: why a decryption
    /// failed is told to nobody.
    pub fn open(&self, token: &str) -> Result<String, Refusal> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
            return Err(Refusal::NotCompact);
        };
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::NotCompact);
        let header_json = decoded(header)?;
        if header_json.len() > MAX_HEADER_BYTES {
            return Err(Refusal::TooLong);
        }
        let (encrypted_key, iv) = (decoded(encrypted_key)?, decoded(iv)?);
        let (mut content, tag) = (decoded(ciphertext)?, decoded(tag)?);
        if tag.len() != content::TAG_BYTES || iv.len() != content::IV_BYTES {
            return Err(Refusal::Encryption);
        }
        let parameters = parse_object(&header_json).ok_or(Refusal::NotStrictJson)?;
        let private = self.key_for(&parameters)?;
        let content_key = private.content_key(&parameters, &encrypted_key)?;
        content.extend(tag);
        let opened = content::open(&*content_key, &iv, header, &mut content);
        let opened = opened.map_err(|_| Refusal::Encryption)?;
        String::from_utf8(opened.to_vec()).map_err(|_| Refusal::NotCompact)
    }

    fn key_for(&self, parameters: &Members<'_>) -> Result<&Private, Refusal> {
        let text = |name| parameters.get(name).and_then(StrictValue::as_str);
        if parameters.names().any(|name| !KNOWN.contains(&name)) {
            return Err(Refusal::ForbiddenHeader("one outside of the profile"));
        }
        if !text("cty").is_some_and(|cty| cty.eq_ignore_ascii_case("JWT")) {
            return Err(Refusal::Type);
        }
        let kid = text("kid").ok_or(Refusal::KeyId)?;
        let (_, private) = self.keys.get(kid).ok_or(Refusal::UnknownKey)?;
        if text("alg") != Some(private.algorithm()) || text("enc") != Some(A256GCM) {
            return Err(Refusal::Algorithm);
        }
        Ok(private)
    }
}

impl Private {
    fn from_pkcs8(der: &[u8]) -> Result<(Value, Self), InvalidDecryptionKey> {
        let unusable = InvalidDecryptionKey("a key is neither X25519 nor P-256 nor RSA of 2048 to 3072 bits");
        let agreement = match der.strip_prefix(&X25519_PKCS8) {
            Some(octets) => PrivateKey::from_private_key(&X25519, octets),
            None => PrivateKey::from_private_key_der(&ECDH_P256, der),
        };
        if let Ok(key) = agreement {
            return Ok((public_jwk(&key).map_err(|_| unusable)?, Self::Agreement(key)));
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| unusable)?;
        if pair.public_modulus_len() > MAX_RSA_BYTES {
            return Err(unusable);
        }
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = json!({
            "e": text(e.big_endian_without_leading_zero()),
            "kty": "RSA",
            "n": text(n.big_endian_without_leading_zero()),
        });
        let key = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| unusable)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| unusable)?;
        Ok((jwk, Self::Rsa(Box::new(key))))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Agreement(_) => ECDH_ES,
            Self::Rsa(_) => RSA_OAEP_256,
        }
    }

    fn content_key(
        &self,
        parameters: &Members<'_>,
        encrypted_key: &[u8],
    ) -> Result<Zeroizing<[u8; content::KEY_BYTES]>, Refusal> {
        match self {
            // The key is agreed on, not sent (RFC 7518 section 4.6).
            Self::Agreement(ours) if encrypted_key.is_empty() => {
                let theirs = ephemeral(ours.algorithm(), parameters).ok_or(Refusal::Encryption)?;
                let party = |name| match parameters.get(name) {
                    None => Some(Vec::new()),
                    Some(value) => value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()),
                };
                let (apu, apv) = party("apu").zip(party("apv")).ok_or(Refusal::Encryption)?;
                let context = KdfContext { algorithm: A256GCM, apu: &apu, apv: &apv };
                agreed_key(ours, &theirs, &context).map_err(|_| Refusal::Encryption)
            }
            Self::Rsa(ours) if !parameters.contains("epk") => {
                let mut room = Zeroizing::new(vec![0; ours.min_output_size()]);
                let key = ours.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted_key, &mut room, None);
                let key: &[u8] = key.map_err(|_| Refusal::Encryption)?;
                key.try_into().map(Zeroizing::new).map_err(|_| Refusal::Encryption)
            }
            Self::Agreement(_) | Self::Rsa(_) => Err(Refusal::Encryption),
        }
    }
}

/// The sender's public key for this one token.
fn ephemeral(curve: &'static Algorithm, parameters: &Members<'_>) -> Option<Vec<u8>> {
    let epk = parameters.get("epk")?.as_object()?;
    let text = |name| epk.get(name).and_then(StrictValue::as_str);
    let octets = |name| URL_SAFE_NO_PAD.decode(text(name)?).ok().filter(|octets| octets.len() == 32);
    if epk.contains("d") {
        return None;
    }
    match (text("kty")?, text("crv")?) {
        ("OKP", "X25519") if curve == &X25519 => octets("x"),
        ("EC", "P-256") if curve == &ECDH_P256 => {
            Some([&[4], octets("x")?.as_slice(), octets("y")?.as_slice()].concat())
        }
        _ => None,
    }
}
