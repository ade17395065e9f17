use aws_lc_rs::agreement::{Algorithm, ECDH_P256, PrivateKey, X25519};
use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyUncompressedBin};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::key_agreement::{KdfContext, agreed_key};
use super::{A256GCM, ECDH_ES, RSA_OAEP_256, content};
use crate::public_keys::{MAX_JWKS_BYTES, PRIVATE_MEMBERS, octets, point, rsa_key, text, thumbprint};
use crate::strict::{Members, StrictValue, parse_object};

/// The public key of an audience, to which its tokens are sealed.
pub struct EncryptionKey {
    kid: String,
    recipient: Recipient,
}

enum Recipient {
    /// `0x04 || x || y`, or the 32 octets of X25519.
    Agreement(&'static Algorithm, Vec<u8>),
    Rsa(Box<OaepPublicEncryptingKey>),
}

/// Why a set has no key that tokens can be sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEncryptionKey {
    /// Not a JSON object with an array `keys` (RFC 7517 section 5).
    #[error("not a JWKS of at most {MAX_JWKS_BYTES} bytes")]
    NotAKeySet,
    /// The key with this index has a private member.
    #[error("key {0} has a private or symmetric member: only public keys are registered")]
    PrivateMember(usize),
    /// The key with this index cannot be used, and why.
    #[error("key {0}: {1}")]
    Key(usize, &'static str),
    /// No key is one to encrypt with.
    #[error("no key for ECDH-ES (P-256, X25519) or RSA-OAEP-256 with `use` enc")]
    NoUsableKey,
}

/// The system's randomness failed, or the library refused the key after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be sealed")]
pub struct SealingFailed;

impl From<Unspecified> for SealingFailed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl EncryptionKey {
    /// Takes the first key of a JWKS that tokens can be sealed to. Its `kid`, or else its thumbprint
    /// (RFC 7638), stands in the header of each token.
    ///
    /// # Errors
    /// [`InvalidEncryptionKey`]; a key that is meant for it and is wrong refuses the whole set.
    pub fn from_jwks(bytes: &[u8]) -> Result<Self, InvalidEncryptionKey> {
        if bytes.len() > MAX_JWKS_BYTES {
            return Err(InvalidEncryptionKey::NotAKeySet);
        }
        let document = parse_object(bytes).ok_or(InvalidEncryptionKey::NotAKeySet)?;
        let keys = document.get("keys").and_then(StrictValue::as_array);
        let mut usable = None;
        for (place, key) in keys.ok_or(InvalidEncryptionKey::NotAKeySet)?.iter().enumerate() {
            let jwk = key.as_object().ok_or(InvalidEncryptionKey::NotAKeySet)?;
            if PRIVATE_MEMBERS.iter().any(|name| jwk.contains(name)) {
                return Err(InvalidEncryptionKey::PrivateMember(place));
            }
            let key = Self::from_jwk(jwk).map_err(|why| InvalidEncryptionKey::Key(place, why))?;
            usable = usable.or(key);
        }
        usable.ok_or(InvalidEncryptionKey::NoUsableKey)
    }

    /// Its ID: the thumbprint (RFC 7638).
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `None` for a key that is meant for something else.
    fn from_jwk(jwk: &Members<'_>) -> Result<Option<Self>, &'static str> {
        let text = |name: &str| text(jwk, name);
        if text("use").is_some_and(|usage| usage != "enc") {
            return Ok(None);
        }
        let for_alg = |alg: &str| text("alg").is_none_or(|named| named == alg);
        let required = |names: &[&str]| {
            let member = |name: &&str| format!(r#""{name}":"{}""#, text(name).unwrap_or_default());
            format!("{{{}}}", names.iter().map(member).collect::<Vec<_>>().join(","))
        };
        let (recipient, required) = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("X25519")) if for_alg(ECDH_ES) => {
                (Recipient::Agreement(&X25519, octets(jwk, "x")?), required(&["crv", "kty", "x"]))
            }
            (Some("EC"), Some("P-256")) if for_alg(ECDH_ES) => {
                (Recipient::Agreement(&ECDH_P256, point(jwk, 32)?), required(&["crv", "kty", "x", "y"]))
            }
            (Some("RSA"), None) if text("use") == Some("enc") && for_alg(RSA_OAEP_256) => {
                let key = OaepPublicEncryptingKey::new(rsa_key(jwk)?).map_err(|_| "not an RSA public key")?;
                (Recipient::Rsa(Box::new(key)), required(&["e", "kty", "n"]))
            }
            _ => return Ok(None),
        };
        let kid = text("kid").map_or_else(|| thumbprint(&required), str::to_owned);
        if kid.is_empty() || kid.len() > 128 {
            return Err("`kid` has 1 to 128 bytes");
        }
        let key = Self { kid, recipient };
        key.seal("").map_err(|_| "it is no point of its curve")?;
        Ok(Some(key))
    }

    /// Wraps a signed token (RFC 7516 section 5.1).
    ///
    /// # Errors
    /// [`SealingFailed`].
    pub fn seal(&self, signed_token: &str) -> Result<String, SealingFailed> {
        let (header, content_key, encrypted_key) = self.content_key()?;
        let mut iv = [0; content::IV_BYTES];
        rand::fill(&mut iv)?;
        let header = encode(header.to_string().as_bytes());
        let mut sealed = signed_token.as_bytes().to_vec();
        content::seal(&content_key, iv, &header, &mut sealed)?;
        let (ciphertext, tag) = sealed.split_at(sealed.len() - content::TAG_BYTES);
        let parts = [encode(&encrypted_key), encode(&iv), encode(ciphertext), encode(tag)];
        Ok(format!("{header}.{}", parts.join(".")))
    }

    /// A fresh content key, how the recipient comes to it, and the header that says so.
    #[expect(clippy::type_complexity, reason = "three things that belong together for two lines")]
    fn content_key(&self) -> Result<(Value, Zeroizing<[u8; content::KEY_BYTES]>, Vec<u8>), Unspecified> {
        match &self.recipient {
            Recipient::Agreement(curve, theirs) => {
                let ephemeral = PrivateKey::generate(curve)?;
                let context = KdfContext { algorithm: A256GCM, apu: &[], apv: &[] };
                let key = agreed_key(&ephemeral, theirs, &context)?;
                let header = json!({
                    "alg": ECDH_ES, "enc": A256GCM, "cty": "JWT", "kid": self.kid,
                    "epk": public_jwk(&ephemeral)?,
                });
                Ok((header, key, Vec::new()))
            }
            Recipient::Rsa(theirs) => {
                let mut key = Zeroizing::new([0; content::KEY_BYTES]);
                rand::fill(&mut *key)?;
                let mut encrypted = vec![0; theirs.ciphertext_size()];
                theirs.encrypt(&OAEP_SHA256_MGF1SHA256, &*key, &mut encrypted, None)?;
                let header = json!({"alg": RSA_OAEP_256, "enc": A256GCM, "cty": "JWT", "kid": self.kid});
                Ok((header, key, encrypted))
            }
        }
    }
}

/// The public half as a JWK, required members only.
pub(super) fn public_jwk(key: &PrivateKey) -> Result<Value, Unspecified> {
    let public = key.compute_public_key()?;
    if key.algorithm() == &X25519 {
        return Ok(json!({"crv": "X25519", "kty": "OKP", "x": encode(public.as_ref())}));
    }
    let point: EcPublicKeyUncompressedBin<'_> = public.as_be_bytes()?;
    let (x, y) = point.as_ref().get(1..).ok_or(Unspecified)?.split_at_checked(32).ok_or(Unspecified)?;
    Ok(json!({"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)}))
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
