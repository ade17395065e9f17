use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A private key of a test, and the `kid` under which its public half is published.
pub struct Signer {
    pub kid: String,
    key: Key,
}

enum Key {
    Es256(Box<EcdsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
}

impl Signer {
    #[must_use]
    pub fn es256() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("randomness");
        Self { kid: "unpublished".to_owned(), key: Key::Es256(Box::new(key)) }
    }

    #[must_use]
    pub fn eddsa() -> Self {
        let key = Ed25519KeyPair::generate().expect("randomness");
        Self { kid: "unpublished".to_owned(), key: Key::EdDsa(Box::new(key)) }
    }

    /// PKCS#8 in PEM, as `auth-service key import` takes it.
    #[must_use]
    pub fn pem(&self) -> String {
        let der: Vec<u8> = match &self.key {
            Key::Es256(key) => key.to_pkcs8v1().expect("encodes").as_ref().to_vec(),
            Key::EdDsa(key) => key.to_pkcs8v1().expect("encodes").as_ref().to_vec(),
        };
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
    }

    /// For P-256 the point `0x04 || x || y`, for Ed25519 the 32 octets of the key.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        match &self.key {
            Key::Es256(key) => key.public_key().as_ref().to_vec(),
            Key::EdDsa(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The public half, as an attacker would put it into a header.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let public = self.public();
        match &self.key {
            Key::Es256(_) => json!({
                "kty": "EC", "crv": "P-256", "kid": self.kid,
                "x": URL_SAFE_NO_PAD.encode(&public[1..33]), "y": URL_SAFE_NO_PAD.encode(&public[33..]),
            }),
            Key::EdDsa(_) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": URL_SAFE_NO_PAD.encode(public)})
            }
        }
    }

    /// A compact JWS over any bytes.
    #[must_use]
    pub fn token(&self, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(self.sign(input.as_bytes())))
    }

    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Es256(key) => key.sign(&SystemRandom::new(), message).expect("randomness").as_ref().to_vec(),
            Key::EdDsa(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}
