use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as Jws, DecodingKey, crypto, jwk::Jwk};
use serde_json::Value;

use super::{Algorithm, SigningKey};

/// Whether a library that is not ours accepts what the key signs, under the JWK that is published for
/// it: a pairwise consistency test (FIPS 140-3), made once when a key is loaded.
pub(super) fn holds(key: &SigningKey, published: &Value) -> bool {
    const PROBE: &[u8] = b"signet signing key self-test";
    let algorithm = match key.algorithm() {
        Algorithm::EdDsa => Jws::EdDSA,
        Algorithm::Es256 => Jws::ES256,
        Algorithm::Rs256 => Jws::RS256,
    };
    let Ok(signature) = key.sign(PROBE) else { return false };
    let decoding_key = serde_json::from_value::<Jwk>(published.clone())
        .ok()
        .and_then(|jwk| DecodingKey::from_jwk(&jwk).ok());
    decoding_key.is_some_and(|decoding_key| {
        let signature = URL_SAFE_NO_PAD.encode(signature);
        crypto::verify(&signature, PROBE, &decoding_key, algorithm).unwrap_or(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_answers_for_its_own_public_half_only() {
        for algorithm in Algorithm::ALL {
            let (key, other) =
                (SigningKey::generate(algorithm).unwrap(), SigningKey::generate(algorithm).unwrap());
            assert!(holds(&key, &key.public_jwk().1), "{algorithm}");
            assert!(!holds(&key, &other.public_jwk().1), "{algorithm}");
        }
    }
}
