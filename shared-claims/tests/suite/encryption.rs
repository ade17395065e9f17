//! Nested tokens: opened and verified by whom they are for, and refused in every other form.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared_claims::encryption::{DecryptionKeys, EncryptionKey, InvalidEncryptionKey};
use shared_claims::{Refusal, Verifier, VerifierBuilder};

use super::verifier::{Issuer, NOW, claims, header, with};

/// A new private key in PEM.
fn pem(kind: &str) -> String {
    use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    if kind == "X25519" {
        return DecryptionKeys::generate_pem().unwrap().to_string();
    }
    let der: Pkcs8V1Der<'_> = match kind {
        "P-256" => PrivateKey::generate(&ECDH_P256).unwrap().as_der().unwrap(),
        _ => PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap().as_der().unwrap(),
    };
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()))
}

/// One audience: its private keys, and the key that the authority has of it.
fn audience(kind: &str) -> (DecryptionKeys, EncryptionKey) {
    let private = DecryptionKeys::from_pem_with_rsa(pem(kind).as_bytes()).unwrap();
    let public = EncryptionKey::from_jwks(private.public_jwks().to_string().as_bytes()).unwrap();
    (private, public)
}

fn verifier() -> VerifierBuilder {
    Verifier::builder("https://auth.test", "notes")
}

#[test]
fn a_nested_token_is_opened_and_then_verified_like_any_other() {
    let issuer = Issuer::new();
    for kind in ["X25519", "P-256", "RSA"] {
        let (private, public) = audience(kind);
        let opening = verifier().decryption(private).build();
        let signed = issuer.sign(&header(), &claims());
        let sealed = public.seal(&signed).unwrap();
        assert_eq!(sealed.split('.').count(), 5);
        assert_ne!(sealed, public.seal(&signed).unwrap(), "never the same twice");
        let result = |token: &str| opening.verify(token, &issuer.keys, NOW);
        assert_eq!(result(&sealed).unwrap(), result(&signed).unwrap(), "{kind}");
        let expired = public.seal(&issuer.sign(&header(), &with(claims(), "exp", json!(NOW - 300)))).unwrap();
        assert_eq!(result(&expired).map(drop), Err(Refusal::Expired), "{kind}");
        let forged = public.seal(&Issuer::new().sign(&header(), &claims())).unwrap();
        assert_eq!(result(&forged).map(drop), Err(Refusal::Signature), "anybody can encrypt: {kind}");
        let twice = public.seal(&sealed).unwrap();
        assert_eq!(result(&twice).map(drop), Err(Refusal::NotCompact), "one layer only: {kind}");
        assert_eq!(verifier().build().verify(&sealed, &issuer.keys, NOW).map(drop), Err(Refusal::NotCompact));
        let (stranger, _) = audience(kind);
        let other = verifier().decryption(stranger).build();
        assert_eq!(other.verify(&sealed, &issuer.keys, NOW).map(drop), Err(Refusal::UnknownKey));
    }
}

/// A sealed token, taken apart, and who would open it.
struct Sealed {
    kind: &'static str,
    issuer: Issuer,
    opening: Verifier,
    parts: Vec<String>,
}

impl Sealed {
    fn new(kind: &'static str) -> Self {
        let (issuer, (private, public)) = (Issuer::new(), audience(kind));
        let sealed = public.seal(&issuer.sign(&header(), &claims())).unwrap();
        let parts = sealed.split('.').map(str::to_owned).collect();
        Self { kind, issuer, opening: verifier().decryption(private).build(), parts }
    }

    fn refuses(&self, what: &str, token: &str) {
        assert!(self.opening.verify(token, &self.issuer.keys, NOW).is_err(), "{}: {what}", self.kind);
    }

    fn refuses_part(&self, what: &str, place: usize, part: &str) {
        let mut parts: Vec<&str> = self.parts.iter().map(String::as_str).collect();
        parts[place] = part;
        self.refuses(what, &parts.join("."));
    }

    fn refuses_header(&self, what: &str, change: impl FnOnce(&mut Value)) {
        let mut parameters: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&self.parts[0]).unwrap()).unwrap();
        change(&mut parameters);
        self.refuses_part(what, 0, &URL_SAFE_NO_PAD.encode(parameters.to_string()));
    }
}

const KINDS: [&str; 3] = ["X25519", "P-256", "RSA"];

#[test]
fn a_token_that_was_altered_is_refused() {
    for kind in KINDS {
        let sealed = Sealed::new(kind);
        for (place, part) in sealed.parts.iter().enumerate() {
            let mut octets = URL_SAFE_NO_PAD.decode(part).unwrap();
            match octets.last_mut() {
                Some(last) => *last ^= 1,
                None => octets.push(0),
            }
            sealed.refuses_part("a flipped bit", place, &URL_SAFE_NO_PAD.encode(&octets));
            sealed.refuses_part("nothing", place, if part.is_empty() { "AA" } else { "" });
            sealed.refuses_part("padding", place, &format!("{part}="));
        }
        sealed.refuses_part("a short tag", 4, &sealed.parts[4][..16]);
        let [header, key, iv, ciphertext, tag] = sealed.parts.as_slice() else { unreachable!("five parts") };
        let form = json!({"protected": header, "encrypted_key": key, "iv": iv, "ciphertext": ciphertext, "tag": tag});
        sealed.refuses("JSON serialisation", &form.to_string());
    }
}

#[test]
fn whatever_is_outside_of_the_profile_is_refused() {
    let algorithms = ["dir", "A256KW", "ECDH-ES+A256KW", "RSA-OAEP", "RSA1_5", "PBES2-HS256+A128KW", "none"];
    let mut of_another_kind = algorithms.map(|alg| ("alg", json!(alg))).to_vec();
    of_another_kind.extend(["A128GCM", "A256CBC-HS512", "a256gcm"].map(|enc| ("enc", json!(enc))));
    of_another_kind.extend([
        ("zip", json!("DEF")),
        ("crit", json!(["exp"])),
        ("jku", json!("https://evil.test")),
        ("p2c", json!(1)),
        ("cty", json!("json")),
        ("kid", json!("other")),
        ("kid", json!(7)),
        ("jwk", json!({})),
        ("epk", json!({})),
        ("epk", json!("x")),
        ("epk", json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([0; 32])})),
        ("epk", json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})),
    ]);
    for kind in KINDS {
        let sealed = Sealed::new(kind);
        for (name, value) in &of_another_kind {
            sealed.refuses_header(&format!("{name}: {value}"), |header| header[name] = value.clone());
        }
        for name in ["alg", "enc", "cty", "kid"] {
            let without = |header: &mut Value| drop(header.as_object_mut().unwrap().remove(name));
            sealed.refuses_header(&format!("no {name}"), without);
        }
    }
}

#[test]
fn an_audience_registers_a_public_key_that_works_or_is_told_why_not() {
    let read = |keys: Value| EncryptionKey::from_jwks(json!({"keys": keys}).to_string().as_bytes()).map(drop);
    let public = |kind: &str| {
        DecryptionKeys::from_pem_with_rsa(pem(kind).as_bytes()).unwrap().public_jwks()["keys"][0].clone()
    };
    let (x25519, p256, rsa) = (public("X25519"), public("P-256"), public("RSA"));
    let with = |jwk: &Value, name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    for key in [&x25519, &p256, &rsa] {
        assert_eq!(read(json!([key])), Ok(()));
        assert_eq!(read(json!([with(key, "d", json!("AA"))])), Err(InvalidEncryptionKey::PrivateMember(0)));
        assert_eq!(read(json!([with(key, "use", json!("sig"))])), Err(InvalidEncryptionKey::NoUsableKey));
        assert_eq!(
            read(json!([with(key, "alg", json!("ECDH-ES+A128KW"))])),
            Err(InvalidEncryptionKey::NoUsableKey)
        );
    }
    let signing = json!({"kty": "OKP", "crv": "Ed25519", "x": x25519["x"], "use": "sig", "kid": "s"});
    assert_eq!(read(json!([signing.clone(), x25519.clone()])), Ok(()), "others are passed over");
    for (what, key) in [
        ("off the curve", with(&p256, "x", p256["y"].clone())),
        ("a short point", with(&p256, "x", json!("AA"))),
        ("a short X25519 key", with(&x25519, "x", json!("AA"))),
        ("the zero point of X25519", with(&x25519, "x", json!(URL_SAFE_NO_PAD.encode([0; 32])))),
        ("RSA with exponent 3", with(&rsa, "e", json!("Aw"))),
        ("RSA of 1024 bits", with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode([0xFF; 128])))),
    ] {
        assert!(matches!(read(json!([key])), Err(InvalidEncryptionKey::Key(0, _))), "{what}");
    }
    assert_eq!(read(json!([signing])), Err(InvalidEncryptionKey::NoUsableKey));
    assert_eq!(EncryptionKey::from_jwks(b"{}").map(drop), Err(InvalidEncryptionKey::NotAKeySet));
    assert!(DecryptionKeys::from_pem(b"nothing").is_err());
    for (kind, allowed) in [("X25519", true), ("P-256", true), ("RSA", false)] {
        assert_eq!(DecryptionKeys::from_pem(pem(kind).as_bytes()).is_ok(), allowed, "{kind}");
    }
}
