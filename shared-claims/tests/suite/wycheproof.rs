//! Wycheproof's vectors through our public interface: the key comes in as a JWKS, the signature as a
//! JWS holds it. `r || s` of fixed width is its P1363 form (RFC 7518 section 3.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared_claims::KeySet;
use shared_claims::public_keys::PublicKey;
use wycheproof::{HashFunction, TestResult, ecdsa, eddsa, rsa_pkcs1_verify, rsa_pss_verify};

fn public_key(mut jwk: Value) -> Option<PublicKey> {
    jwk["kid"] = json!("k");
    let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).ok()?;
    keys.get("k").cloned()
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What became of the vectors of one file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    valid: usize,
    invalid: usize,
    /// Wycheproof leaves these open; we refuse them.
    acceptable: usize,
}

impl Tally {
    fn check(
        &mut self,
        key: &PublicKey,
        (id, result): (usize, TestResult),
        message: &[u8],
        signature: &[u8],
    ) {
        let accepted = key.verify(message, signature).is_ok();
        match result {
            TestResult::Valid => self.valid += 1,
            TestResult::Invalid => self.invalid += 1,
            TestResult::Acceptable => self.acceptable += 1,
        }
        assert_eq!(accepted, result == TestResult::Valid, "vector {id}, which is {result:?}");
    }
}

fn ecdsa_of(name: ecdsa::TestName, curve: &str) -> Tally {
    let mut tally = Tally::default();
    for group in ecdsa::TestSet::load(name).unwrap().test_groups {
        let point = &group.key.key[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let key = public_key(json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})).unwrap();
        for test in group.tests {
            tally.check(&key, (test.tc_id, test.result), &test.msg, &test.sig);
        }
    }
    tally
}

#[test]
fn ecdsa_on_p256() {
    let tally = ecdsa_of(ecdsa::TestName::EcdsaSecp256r1Sha256P1363, "P-256");
    assert!(tally.valid > 100 && tally.invalid > 50, "{tally:?}");
}

#[test]
fn ecdsa_on_p384() {
    let tally = ecdsa_of(ecdsa::TestName::EcdsaSecp384r1Sha384P1363, "P-384");
    assert!(tally.valid > 100 && tally.invalid > 50, "{tally:?}");
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = public_key(json!({"kty": "OKP", "crv": "Ed25519", "x": text(&group.key.pk)})).unwrap();
        for test in group.tests {
            tally.check(&key, (test.tc_id, test.result), &test.msg, &test.sig);
        }
    }
    assert_eq!(tally, Tally { valid: 88, invalid: 63, acceptable: 0 });
}

#[test]
fn rsa_pkcs1() {
    let (mut tally, mut small_exponents) = (Tally::default(), 0);
    let set = rsa_pkcs1_verify::TestSet::load(rsa_pkcs1_verify::TestName::Rsa2048Sha256).unwrap();
    for group in set.test_groups {
        let (n, e) = (without_leading_zeros(&group.key.n), without_leading_zeros(&group.key.e));
        let Some(key) = public_key(json!({"kty": "RSA", "alg": "RS256", "n": text(n), "e": text(e)})) else {
            assert_eq!(e, [3], "only the exponent 3 is refused as a key");
            small_exponents += 1;
            continue;
        };
        for test in group.tests {
            tally.check(&key, (test.tc_id, test.result), &test.msg, &test.sig);
        }
    }
    assert_eq!((tally, small_exponents), (Tally { valid: 7, invalid: 249, acceptable: 1 }, 2));
}

/// PS256 has one salt length and one hash (RFC 7518 section 3.5): what is valid under others is not here.
#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName;
    let files = [
        TestName::RsaPss2048Sha256Mgf1SaltLen32,
        TestName::RsaPss2048Sha256Mgf1SaltLen0,
        TestName::RsaPssmisc,
    ];
    let (mut tally, mut refused, mut accepted) = (Tally::default(), 0, Vec::new());
    for name in files {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let (n, e) = (without_leading_zeros(&group.key.n), without_leading_zeros(&group.key.e));
            let key = public_key(json!({"kty": "RSA", "alg": "PS256", "n": text(n), "e": text(e)})).unwrap();
            let sha256 = HashFunction::Sha2_256;
            let ours = group.hash == sha256 && group.mgf_hash == Some(sha256) && group.salt_size == 32;
            for test in group.tests {
                if ours {
                    tally.check(&key, (test.tc_id, test.result), &test.msg, &test.sig);
                } else if key.verify(&test.msg, &test.sig).is_ok() {
                    accepted.push((name, test.comment));
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert_eq!((tally, refused), (Tally { valid: 64, invalid: 45, acceptable: 0 }, 251));
    // Invalid for a salt of 0 because its salt is one of 32: a true PS256 signature.
    assert_eq!(accepted, [(TestName::RsaPss2048Sha256Mgf1SaltLen0, "s_len changed to 32".to_owned())]);
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
