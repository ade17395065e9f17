use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared_claims::public_keys::{check_rsa_numbers, thumbprint};
use zeroize::Zeroizing;

use super::Algorithm;

/// A private key, parsed once and held: parsing an RSA key costs half of a signature.
pub enum SigningKey {
    EdDsa(Box<Ed25519KeyPair>),
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
}

/// The bytes are not a usable private key of the algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKey(pub &'static str);

impl SigningKey {
    /// A new key: Ed25519, P-256 or RSA of 2048 bits.
    ///
    /// # Errors
    /// [`InvalidKey`] when the system's randomness fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let failed = InvalidKey("the key could not be generated");
        Ok(match algorithm {
            Algorithm::EdDsa => Self::EdDsa(Box::new(Ed25519KeyPair::generate().map_err(|_| failed)?)),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| failed)?;
                Self::Es256(Box::new(pair))
            }
            Algorithm::Rs256 => {
                Self::Rs256(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| failed)?))
            }
        })
    }

    /// Reads PKCS#8 (RFC 5208).
    ///
    /// # Errors
    /// [`InvalidKey`] for another algorithm's key, a malformed or a weak one.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, InvalidKey> {
        match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der)
                .map(|pair| Self::EdDsa(Box::new(pair)))
                .map_err(|_| InvalidKey("not an Ed25519 private key in PKCS#8")),
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                .map(|pair| Self::Es256(Box::new(pair)))
                .map_err(|_| InvalidKey("not a P-256 private key in PKCS#8")),
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(der)
                    .map_err(|_| InvalidKey("not an RSA private key of 2048 to 8192 bits in PKCS#8"))?;
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                check_rsa_numbers(n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero())
                    .map_err(InvalidKey)?;
                Ok(Self::Rs256(Box::new(pair)))
            }
        }
    }

    /// PKCS#8, for sealing.
    ///
    /// # Errors
    /// [`InvalidKey`] when the library cannot encode it.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
        let failed = InvalidKey("the key could not be encoded");
        Ok(Zeroizing::new(match self {
            Self::EdDsa(pair) => pair.to_pkcs8v1().map_err(|_| failed)?.as_ref().to_vec(),
            Self::Es256(pair) => pair.to_pkcs8v1().map_err(|_| failed)?.as_ref().to_vec(),
            Self::Rs256(pair) => {
                AsDer::<Pkcs8V1Der<'_>>::as_der(&**pair).map_err(|_| failed)?.as_ref().to_vec()
            }
        }))
    }

    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::EdDsa(_) => Algorithm::EdDsa,
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
        }
    }

    /// The signature as a JWS holds it: for ES256 `r || s` (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// [`InvalidKey`] when the system's randomness fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, InvalidKey> {
        let failed = InvalidKey("the signature failed");
        match self {
            Self::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Self::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| failed)?;
                Ok(signature)
            }
        }
    }

    /// The public key as it stands in the JWKS, with its thumbprint as `kid`.
    #[must_use]
    pub fn public_jwk(&self) -> (String, Value) {
        let mut jwk = self.required_members();
        let kid = thumbprint(&jwk.to_string());
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.algorithm().as_str());
        jwk["use"] = json!("sig");
        (kid, jwk)
    }

    /// In lexicographic order, which serde_json keeps: the thumbprint is made of them as they stand.
    fn required_members(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::EdDsa(pair) => {
                json!({"crv": "Ed25519", "kty": "OKP", "x": text(pair.public_key().as_ref())})
            }
            Self::Es256(pair) => {
                // 0x04 || x || y
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"crv": "P-256", "kty": "EC", "x": text(x), "y": text(y)})
            }
            Self::Rs256(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({
                    "e": text(e.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": text(n.big_endian_without_leading_zero()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037_appendix_a3() {
        let jwk = json!({
            "crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        assert_eq!(thumbprint(&jwk.to_string()), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638_section_3_1() {
        let jwk = json!({"e": "AQAB", "kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"});
        assert_eq!(thumbprint(&jwk.to_string()), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn a_key_survives_its_encoding_and_signs_for_its_public_half() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &key.to_pkcs8().unwrap()).unwrap();
            assert_eq!(key.public_jwk(), again.public_jwk(), "{algorithm}");
            for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
                assert!(
                    SigningKey::from_pkcs8(other, &key.to_pkcs8().unwrap()).is_err(),
                    "{algorithm} as {other}"
                );
            }
        }
    }
}
