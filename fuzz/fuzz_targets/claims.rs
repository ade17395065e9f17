//! The claims, under a true signature: what our verifier accepts, jsonwebtoken accepts, and both read
//! the same in it.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use shared_claims::{KeySet, Verifier};

const NOW: u64 = 1_800_000_000;

struct Issuer {
    key: Ed25519KeyPair,
    keys: KeySet,
    other: DecodingKey,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "alg": "EdDSA"});
    let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).expect("a key set");
    let other = DecodingKey::from_ed_components(&x).expect("a key");
    Issuer { key, keys, other }
});

fuzz_target!(|payload: &[u8]| {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(ISSUER.key.sign(input.as_bytes())));
    let verifier = Verifier::new("https://auth.test", "notes");
    let expected = verifier.verify(&token, &ISSUER.keys, NOW);
    assert_eq!(expected, verifier.verify(&token, &ISSUER.keys, NOW));
    let Ok(claims) = expected else { return };
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["notes"]);
    validation.set_issuer(&["https://auth.test"]);
    // Its clock is the system's; the dates are compared below.
    validation.validate_exp = false;
    let second = jsonwebtoken::decode::<Value>(&token, &ISSUER.other, &validation).expect("jsonwebtoken agrees");
    assert_eq!(second.claims["sub"].as_str(), Some(claims.sub.as_str()));
    assert_eq!(second.claims["jti"].as_str(), Some(claims.jti.as_str()));
    assert_eq!(second.claims["exp"].as_f64().map(f64::trunc), Some(claims.exp as f64));
    assert!(claims.exp + 30 > NOW && claims.iat <= NOW + 30 && claims.exp >= claims.iat);
    for (name, value) in claims.extra.iter() {
        assert_eq!(&second.claims[name], value, "{name}");
    }
});
