//! What the yardsticks share: a token of the usual size, made with nothing but a signature.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

/// A key that only these programs hold.
pub enum BareKey {
    EdDsa(Box<Ed25519KeyPair>),
    Es256(Box<EcdsaKeyPair>),
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: u64,
    iat: u64,
    jti: &'a str,
    client_id: &'a str,
    scope: &'a str,
    token_type: &'a str,
    user_id: &'a str,
}

impl BareKey {
    /// # Panics
    /// For another algorithm than EdDSA and ES256.
    #[must_use]
    pub fn generate(algorithm: &str) -> Self {
        match algorithm {
            "EdDSA" => Self::EdDsa(Box::new(Ed25519KeyPair::generate().expect("randomness"))),
            "ES256" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                Self::Es256(Box::new(pair.expect("randomness")))
            }
            other => panic!("no such algorithm: {other}"),
        }
    }

    /// # Panics
    /// When the system's randomness fails.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es256(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("randomness").as_ref().to_vec()
            }
        }
    }

    /// The least that a token takes: claims as JSON, base64, a signature.
    ///
    /// # Panics
    /// When the claims are no JSON, which they are.
    #[must_use]
    pub fn token(&self, client_id: &str) -> String {
        let claims = Claims {
            iss: "https://auth.test",
            sub: client_id,
            aud: "notes",
            exp: 1_800_000_300,
            iat: 1_800_000_000,
            jti: "0123456789abcdef0123456789abcdef",
            client_id,
            scope: "notes:read",
            token_type: "access",
            user_id: client_id,
        };
        let mut token = String::from("eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im5vbmUifQ.");
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims).expect("JSON"), &mut token);
        let signature = self.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}
