//! The verifier against tokens that are right but for one thing.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use shared_claims::InvalidKeySet;
use shared_claims::revocations::{
    Fingerprints, Position, RevocationDocument, RevocationEntry, RevocationsWriter, Target,
};
use shared_claims::{Actors, KeySet, Refusal, Verifier};

pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) struct Issuer {
    key: Ed25519KeyPair,
    pub keys: KeySet,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let keys = KeySet::from_jwks(json!({"keys": [jwk("k1", &key)]}).to_string().as_bytes()).unwrap();
        Self { key, keys }
    }

    /// Signs raw bytes, so that also what is no JSON gets a true signature.
    fn sign_raw(&self, header: &[u8], payload: &[u8]) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// The public half, as it is published.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [jwk("k1", &self.key)]})
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_raw(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    fn result(&self, token: &str) -> Result<(), Refusal> {
        Verifier::new("https://auth.test", "notes").verify(token, &self.keys, NOW).map(drop)
    }
}

fn jwk(kid: &str, key: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"})
}

pub(crate) fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"})
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://auth.test", "sub": "u1", "aud": "notes", "exp": NOW + 300, "iat": NOW, "nbf": NOW,
        "jti": "j1", "client_id": "c1", "scope": "notes:read", "sid": "s1",
    })
}

/// The base with one member set, or taken out by `"-"`.
pub(crate) fn with(mut base: Value, name: &str, value: Value) -> Value {
    if value == json!("-") {
        base.as_object_mut().unwrap().remove(name);
    } else {
        base[name] = value;
    }
    base
}

#[test]
fn the_controls_are_accepted() {
    let issuer = Issuer::new();
    let controls = [
        (header(), claims()),
        (header(), with(claims(), "aud", json!(["other", "notes"]))),
        (with(header(), "typ", json!("application/at+jwt")), claims()),
        (with(header(), "typ", json!("AT+JWT")), claims()),
        (with(header(), "alg", json!("Ed25519")), claims()),
        (with(header(), "x-unknown", json!({"a": 1})), claims()),
        (header(), with(claims(), "exp", json!(1_800_000_300.5))),
        (header(), with(claims(), "exp", json!(NOW - 29))),
        (header(), with(claims(), "iat", json!(NOW + 30))),
        (header(), with(claims(), "nbf", json!("-"))),
        (header(), with(claims(), "custom", json!([1, {"a": null}]))),
    ];
    for (header, claims) in controls {
        // The one about exp in the past needs an iat before it.
        let claims =
            if claims["exp"] == json!(NOW - 29) { with(claims, "iat", json!(NOW - 300)) } else { claims };
        assert_eq!(issuer.result(&issuer.sign(&header, &claims)), Ok(()), "{header} {claims}");
    }
}

/// It is read before the signature is checked: the work that a stranger can have done with it is bounded.
#[test]
fn a_header_longer_than_any_of_ours_is_not_read() {
    let issuer = Issuer::new();
    let filled = |length: usize| with(header(), "x", json!("y".repeat(length)));
    assert_eq!(issuer.result(&issuer.sign(&filled(900), &claims())), Ok(()));
    for header in [filled(1024), with(header(), "x", json!(vec![json!({}); 1000]))] {
        assert_eq!(issuer.result(&issuer.sign(&header, &claims())), Err(Refusal::TooLong));
    }
}

#[test]
fn the_plain_type_is_accepted_where_it_is_wanted_and_nothing_else_with_it() {
    let issuer = Issuer::new();
    let verifier = Verifier::builder("https://auth.test", "notes").plain_jwt().build();
    let result = |typ: Value| {
        let token = issuer.sign(&with(header(), "typ", typ), &claims());
        verifier.verify(&token, &issuer.keys, NOW).map(drop)
    };
    for typ in ["JWT", "jwt", "application/jwt", "at+jwt"] {
        assert_eq!(result(json!(typ)), Ok(()), "{typ}");
    }
    for typ in [json!("rt+jwt"), json!("revocations+jwt"), json!(""), json!("-")] {
        assert_eq!(result(typ.clone()), Err(Refusal::Type), "{typ}");
    }
}

#[test]
fn a_header_that_is_wrong_in_one_thing_is_refused() {
    let issuer = Issuer::new();
    let table = [
        ("alg", json!("none"), Refusal::Algorithm),
        ("alg", json!("NONE"), Refusal::Algorithm),
        ("alg", json!(""), Refusal::Algorithm),
        ("alg", json!("eddsa"), Refusal::Algorithm),
        ("alg", json!("HS256"), Refusal::Algorithm),
        ("alg", json!("ES256"), Refusal::Algorithm),
        ("alg", json!(["EdDSA"]), Refusal::Algorithm),
        ("alg", json!(null), Refusal::Algorithm),
        ("alg", json!("-"), Refusal::Algorithm),
        ("typ", json!("JWT"), Refusal::Type),
        ("typ", json!("rt+jwt"), Refusal::Type),
        ("typ", json!("at+jwt "), Refusal::Type),
        ("typ", json!(1), Refusal::Type),
        ("typ", json!("-"), Refusal::Type),
        ("kid", json!("k2"), Refusal::UnknownKey),
        ("kid", json!("K1"), Refusal::UnknownKey),
        ("kid", json!("../../dev/null"), Refusal::UnknownKey),
        ("kid", json!(""), Refusal::KeyId),
        ("kid", json!(1), Refusal::KeyId),
        ("kid", json!("k".repeat(129)), Refusal::KeyId),
        ("kid", json!("-"), Refusal::KeyId),
        ("crit", json!(["exp"]), Refusal::ForbiddenHeader("crit")),
        ("crit", json!([]), Refusal::ForbiddenHeader("crit")),
        ("b64", json!(false), Refusal::ForbiddenHeader("b64")),
        ("zip", json!("DEF"), Refusal::ForbiddenHeader("zip")),
        ("cty", json!("JWT"), Refusal::ForbiddenHeader("cty")),
        ("jku", json!("http://127.0.0.1:9/keys"), Refusal::ForbiddenHeader("jku")),
        ("jwk", jwk("k1", &issuer.key), Refusal::ForbiddenHeader("jwk")),
        ("x5u", json!("http://127.0.0.1:9/"), Refusal::ForbiddenHeader("x5u")),
        ("x5c", json!([]), Refusal::ForbiddenHeader("x5c")),
    ];
    for (name, value, refusal) in table {
        let token = issuer.sign(&with(header(), name, value.clone()), &claims());
        assert_eq!(issuer.result(&token), Err(refusal), "{name} = {value}");
    }
}

/// `act` of so many services, `client:0` the nearest.
fn chain_of(length: usize) -> Value {
    let nested = |inner: Option<Value>, place| {
        let mut actor = json!({"sub": format!("client:{place}"), "iss": "https://auth.test"});
        if let Some(inner) = inner {
            actor["act"] = inner;
        }
        Some(actor)
    };
    (0..length).rev().fold(None, nested).unwrap()
}

#[test]
fn the_services_of_a_chain_are_read_the_nearest_first() {
    let issuer = Issuer::new();
    let token = issuer.sign(&header(), &with(claims(), "act", chain_of(8)));
    let keys = KeySet::from_jwks(issuer.jwks().to_string().as_bytes()).unwrap();
    let claims = Verifier::new("https://auth.test", "notes").verify(&token, &keys, NOW).unwrap();
    let act = claims.act.unwrap();
    assert_eq!(act.nearest(), "client:0");
    assert_eq!(act.subs().count(), 8);
    assert!(act.subs().enumerate().all(|(place, sub)| sub == format!("client:{place}")));
    assert_eq!(claims.extra.get("act"), None);
    // What is written is read back.
    let longer = Actors::with("client:new".to_owned(), Some(&act));
    assert_eq!(longer, None, "eight are the most");
    let two = Actors::with("b".to_owned(), Actors::with("a".to_owned(), None).as_ref()).unwrap();
    assert_eq!(json!(two), json!({"sub": "b", "act": {"sub": "a"}}));
}

#[test]
fn a_chain_that_cannot_be_read_refuses_the_token() {
    let issuer = Issuer::new();
    for name in ["act", "may_act"] {
        for wrong in [
            json!("client:shop"),
            json!(null),
            json!([]),
            json!({}),
            json!({"sub": ""}),
            json!({"sub": 1}),
            json!({"sub": "s".repeat(256)}),
            json!({"sub": "client:shop", "act": "client:web"}),
            json!({"sub": "client:shop", "act": {"act": {"sub": "client:web"}}}),
            chain_of(9),
        ] {
            let token = issuer.sign(&header(), &with(claims(), name, wrong.clone()));
            assert_eq!(issuer.result(&token), Err(Refusal::Claim(name)), "{name} = {wrong}");
        }
    }
}

/// A client that is disabled takes every token back in which it has a part.
#[test]
fn a_client_takes_its_chains_with_it() {
    let issuer = Issuer::new();
    let keys = KeySet::from_jwks(issuer.jwks().to_string().as_bytes()).unwrap();
    let verified = |via: Value| {
        let token = issuer.sign(&header(), &with(claims(), "via", via));
        Verifier::new("https://auth.test", "notes").verify(&token, &keys, NOW).unwrap()
    };
    let mut revoked = RevocationsWriter::new(Fingerprints::with_key([1; 16]));
    let target = Target::Client { client_id: "shop", not_before: NOW };
    revoked.apply([RevocationEntry { target, expires_at: NOW + 300 }], NOW);
    let revoked = revoked.readers();
    assert!(revoked.matches(&verified(json!(["shop"]))));
    assert!(revoked.matches(&verified(json!(["web", "shop", "stock"]))));
    for others in [json!([]), json!(["web"]), json!(["shop2", "sho"])] {
        assert!(!revoked.matches(&verified(others.clone())), "{others}");
    }
}

#[test]
fn a_claim_that_is_wrong_in_one_thing_is_refused() {
    let issuer = Issuer::new();
    let claim = |name| Refusal::Claim(name);
    let mut table = vec![
        ("iss", json!("https://auth.test/"), Refusal::Issuer),
        ("iss", json!("https://AUTH.test"), Refusal::Issuer),
        ("iss", json!(["https://auth.test"]), claim("iss")),
        ("aud", json!("Notes"), Refusal::Audience),
        ("aud", json!("notes2"), Refusal::Audience),
        ("aud", json!("notes,other"), Refusal::Audience),
        ("aud", json!([]), Refusal::Audience),
        ("aud", json!(["notes", 1]), claim("aud")),
        ("aud", json!([["notes"]]), claim("aud")),
        ("aud", json!({"notes": 1}), claim("aud")),
        ("exp", json!(NOW - 30), Refusal::Expired),
        ("exp", json!(0), claim("exp")),
        ("exp", json!(-1), claim("exp")),
        ("exp", json!(9_007_199_254_740_992_u64), claim("exp")),
        ("exp", json!(u64::MAX), claim("exp")),
        ("exp", json!(NOW + 86_401), Refusal::LivesTooLong),
        ("exp", json!(NOW - 1), claim("exp")),
        ("iat", json!(NOW + 31), Refusal::NotYetValid),
        ("nbf", json!(NOW + 31), Refusal::NotYetValid),
        ("nbf", json!(-1), claim("nbf")),
        ("sub", json!(""), claim("sub")),
        ("sub", json!("s".repeat(256)), claim("sub")),
        ("scope", json!("a  b"), claim("scope")),
        ("scope", json!(["a"]), claim("scope")),
        ("roles", json!("admin"), claim("roles")),
        ("roles", json!([1]), claim("roles")),
        ("via", json!("shop"), claim("via")),
        ("via", json!([1]), claim("via")),
        ("sid", json!(1), claim("sid")),
        ("token_type", json!("refresh"), Refusal::Type),
        ("token_type", json!(1), Refusal::Type),
    ];
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        for wrong in [json!("-"), json!(null), json!(true), json!({})] {
            table.push((name, wrong, claim(name)));
        }
    }
    for name in ["exp", "iat", "nbf", "auth_time"] {
        for wrong in [json!("1800000300"), json!([NOW]), json!(null), json!(false), json!({})] {
            table.push((name, wrong, claim(name)));
        }
    }
    for (name, value, refusal) in table {
        // Expiry a second ago is before `iat`, which is a malformed token, not an expired one.
        let base =
            if refusal == Refusal::Expired { with(claims(), "iat", json!(NOW - 300)) } else { claims() };
        let token = issuer.sign(&header(), &with(base, name, value.clone()));
        assert_eq!(issuer.result(&token), Err(refusal), "{name} = {value}");
    }
}

#[test]
fn a_form_that_is_wrong_in_one_thing_is_refused() {
    let issuer = Issuer::new();
    let good = issuer.sign(&header(), &claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (head, payload) = input.split_once('.').unwrap();
    let raw = |header: &str, payload: &str| issuer.sign_raw(header.as_bytes(), payload.as_bytes());
    let (h, c) = (header().to_string(), claims().to_string());
    let table = vec![
        ("empty", String::new(), Refusal::NotCompact),
        ("dots", "..".to_owned(), Refusal::NotCompact),
        ("two segments", input.to_owned(), Refusal::NotCompact),
        ("no signature", format!("{input}."), Refusal::NotCompact),
        ("four segments", format!("{good}."), Refusal::NotCompact),
        ("a fourth in front", format!("{head}.{good}"), Refusal::NotCompact),
        ("a space behind", format!("{good} "), Refusal::NotCompact),
        ("a new line behind", format!("{good}\n"), Refusal::NotCompact),
        ("a NUL behind", format!("{good}\0"), Refusal::NotCompact),
        ("padding", format!("{good}=="), Refusal::NotCompact),
        ("an encoded dot", good.replacen('.', "%2E", 1), Refusal::NotCompact),
        ("a full-width dot", good.replacen('.', "\u{FF0E}", 1), Refusal::NotCompact),
        ("the other alphabet", format!("{input}.{}", "+/".repeat(43)), Refusal::NotCompact),
        ("a line break inside", format!("{head}.\n{payload}.{signature}"), Refusal::NotCompact),
        ("duplicate header", raw(&h.replacen('{', "{\"alg\":\"none\",", 1), &c), Refusal::NotStrictJson),
        ("duplicate claim", raw(&h, &c.replacen('{', "{\"sub\":\"x\",", 1)), Refusal::NotStrictJson),
        ("escaped duplicate", raw(&h, &c.replacen('{', "{\"\\u0073ub\":\"x\",", 1)), Refusal::NotStrictJson),
        ("a claim beyond numbers", raw(&h, &c.replacen('{', "{\"x\":1e400,", 1)), Refusal::NotStrictJson),
        ("a second object", raw(&h, &format!("{c}{c}")), Refusal::NotStrictJson),
        ("a byte order mark", raw(&h, &format!("\u{FEFF}{c}")), Refusal::NotStrictJson),
        ("an array", raw(&h, "[]"), Refusal::NotStrictJson),
        ("a header array", raw("[\"EdDSA\"]", &c), Refusal::NotStrictJson),
        ("no signature of ours", format!("{input}.{}", "A".repeat(86)), Refusal::Signature),
        ("a truncated signature", format!("{input}.{}", "A".repeat(84)), Refusal::Signature),
        (
            "another payload",
            format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}")),
            Refusal::Signature,
        ),
        ("too long", raw(&h, &with(claims(), "x", json!("x".repeat(8192))).to_string()), Refusal::TooLong),
        ("a million dots", ".".repeat(1_000_000), Refusal::TooLong),
    ];
    for (what, token, refusal) in table {
        assert_eq!(issuer.result(&token), Err(refusal), "{what}");
    }
    assert_eq!(issuer.result(&good), Ok(()));
}

#[test]
fn spare_bits_in_a_signature_are_not_a_second_spelling() {
    let issuer = Issuer::new();
    let good = issuer.sign(&header(), &claims());
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let stem = &good[..good.len() - 1];
    let spellings: Vec<String> = alphabet.chars().map(|end| format!("{stem}{end}")).collect();
    let accepted = spellings.iter().filter(|token| issuer.result(token).is_ok()).count();
    assert_eq!(accepted, 1);
}

/// The product of two primes `k*M + 65537^a mod M`, `M` the product of the first 126 primes: what
/// CVE-2017-15361 is about, made for this test.
const ROCA_MODULUS: &str = "2OfTmMtjFsdqBoqcrgclrOdVUW08oFNEn-dtiqH2tjuJwueUkohBZPVcZv6eLzV6apsnbYUXmSMBxtd8ndDO43hxjrzoxiIn5fw3qTgNrG3a-LeSHgGM7YXbXNYmAk5grGUvKaF7kBhRQVjSqrKLa4_qNH-V1oduS-8yFAxXdnJzmVr8gYJZPFPtjAXzRJWt68Pjau5wyaC0IvSLx66WyMI9DJIw5Hbs3cVP5SYrhOUFTByQckAV4W3agR0_qc-WE9i5LpsCn5ML-DzIeBY2Pbcp9rh1VsGenoGZx7yzf-AwGZeqBDsRHHEDUXjbxqyzYlL-NPzH_SDHufb2d_AM1Q";

#[test]
fn a_key_set_is_taken_as_a_whole_or_not_at_all() {
    let key = Ed25519KeyPair::generate().unwrap();
    let good = jwk("k1", &key);
    let set = |keys: Value| KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes()).map(drop);
    let n = |bytes: usize| URL_SAFE_NO_PAD.encode([&[0x80_u8][..], &vec![0xFF; bytes - 1]].concat());
    let rsa =
        |bytes: usize, e: &str| json!({"kty": "RSA", "n": n(bytes), "e": e, "alg": "RS256", "kid": "r"});
    let off_curve = URL_SAFE_NO_PAD.encode([7_u8; 32]);
    let refused = [
        ("nothing", json!([])),
        ("a private key", json!([with(good.clone(), "d", json!("AA"))])),
        ("a symmetric key", json!([good, {"kty": "oct", "k": "AA", "kid": "k2", "alg": "HS256"}])),
        ("one kid twice", json!([good, good])),
        ("no kid", json!([with(good.clone(), "kid", json!("-"))])),
        ("a short Ed25519 key", json!([with(good.clone(), "x", json!("AAAA"))])),
        ("an algorithm of another type", json!([with(good.clone(), "alg", json!("ES256"))])),
        (
            "a point off the curve",
            json!([{"kty": "EC", "crv": "P-256", "x": off_curve, "y": off_curve, "kid": "e"}]),
        ),
        (
            "a curve that does not fit",
            json!([{"kty": "EC", "crv": "P-384", "x": off_curve, "y": off_curve, "kid": "e", "alg": "ES256"}]),
        ),
        ("RSA of 1024 bits", json!([rsa(128, "AQAB")])),
        ("RSA with exponent 1", json!([rsa(256, "AQ")])),
        ("RSA with exponent 3", json!([rsa(256, "Aw")])),
        ("RSA of the ROCA kind", json!([with(rsa(256, "AQAB"), "n", json!(ROCA_MODULUS))])),
        ("RSA without an algorithm", json!([with(rsa(256, "AQAB"), "alg", json!("-"))])),
        ("no key for signatures", json!([with(good.clone(), "use", json!("enc"))])),
        (
            "too many keys",
            json!((0..51).map(|n| with(good.clone(), "kid", json!(n.to_string()))).collect::<Vec<_>>()),
        ),
    ];
    for (what, keys) in refused {
        assert!(set(keys).is_err(), "accepted: {what}");
    }
    assert_eq!(KeySet::from_jwks(b"<html>").map(drop), Err(InvalidKeySet::NotAKeySet));
    assert_eq!(KeySet::from_jwks(&vec![b' '; 70_000]).map(drop), Err(InvalidKeySet::TooLarge));
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "p"});
    assert_eq!(set(json!([unknown, good])), Ok(()), "an unknown kind is passed over (RFC 7517 section 5)");
    assert_eq!(set(json!([rsa(256, "AQAB")])), Ok(()));
}

#[test]
fn revocations_are_signed_and_read_as_their_kind_says() {
    let issuer = Issuer::new();
    let header = with(header(), "typ", json!("revocations+jwt"));
    let document = |seq: i64, iat: u64, entries: Value| {
        let claims = json!({
            "iss": "https://auth.test", "iat": iat, "epoch": 7, "seq": seq, "keys": 3, "key_set": "e",
            "revocations": entries,
        });
        issuer.sign(&header, &claims)
    };
    let read = |document: &str| {
        let token = RevocationDocument::parse(document)?;
        let document = RevocationDocument::read(&token, "https://auth.test", &issuer.keys)?;
        let mut revocations = RevocationsWriter::new(Fingerprints::with_key([7; 16]));
        revocations.apply(document.entries()?, NOW);
        Ok((document.position, document.after, document.more, revocations))
    };
    let entries = json!([
        {"kind": "session", "id": "s1", "exp": NOW}, {"kind": "token", "id": "j2", "exp": NOW},
        {"kind": "client", "id": "c2", "not_before": NOW, "exp": NOW}, {"kind": "later", "id": "x"},
        {"kind": "subject", "id": "u2", "not_before": NOW, "exp": NOW},
    ]);
    let (position, after, more, held) = read(&document(4, NOW, entries)).unwrap();
    assert_eq!((position, after, more), (Position { epoch: 7, seq: 4 }, None, false));
    assert_eq!(held.len(), 4, "a kind that is not known yet is passed over");
    let verifier = Verifier::new("https://auth.test", "notes");
    let matches = |claims: &Value| {
        let token = issuer.sign(&self::header(), claims);
        held.readers().matches(&verifier.verify(&token, &issuer.keys, NOW).unwrap())
    };
    assert!(matches(&claims()), "by its session");
    let other = with(claims(), "sid", json!("s2"));
    assert!(!matches(&other));
    assert!(matches(&with(other.clone(), "jti", json!("j2"))), "by its id");
    assert!(matches(&with(other.clone(), "client_id", json!("c2"))), "by its client, up to an instant");
    assert!(!matches(&with(with(other.clone(), "client_id", json!("c2")), "iat", json!(NOW + 1))));
    assert!(matches(&with(other.clone(), "sub", json!("u2"))), "by its subject, up to an instant");
    assert!(!matches(&with(with(other.clone(), "sub", json!("u2")), "iat", json!(NOW + 1))));
    assert!(!matches(&with(with(other.clone(), "sub", json!("c2")), "jti", json!("s1"))), "kinds are apart");

    let page = |more: Value| {
        let claims = json!({
            "iss": "https://auth.test", "iat": NOW, "epoch": 7, "seq": 9, "keys": 3, "key_set": "e", "after": 4,
            "more": more, "revocations": [],
        });
        let (position, after, more, _) = read(&issuer.sign(&header, &claims)).unwrap();
        (position.seq, after, more)
    };
    assert_eq!(page(json!(true)), (9, Some(4), true));
    assert_eq!(page(json!(false)), (9, Some(4), false));

    let access_token = issuer.sign(&self::header(), &claims());
    assert_eq!(read(&access_token).map(drop), Err(Refusal::Type));
    assert_eq!(issuer.result(&document(1, NOW, json!([]))), Err(Refusal::Type), "nor the reverse");
    let foreign = Issuer::new().sign(&header, &json!({"iss": "https://auth.test"}));
    assert_eq!(read(&foreign).map(drop), Err(Refusal::Signature));
    assert_eq!(read(&document(1, NOW, json!([{"kind": "session"}]))).map(drop), Err(Refusal::Claim("id")));
}

#[test]
fn a_key_of_one_issuer_never_vouches_for_another() {
    let (ours, theirs) = (Issuer::new(), Issuer::new());
    // The same kid under two issuers, and the name of ours under their key (Storm-0558).
    for iss in ["https://auth.test", "https://other.test"] {
        let token = theirs.sign(&header(), &with(claims(), "iss", json!(iss)));
        assert_eq!(ours.result(&token), Err(Refusal::Signature), "{iss}");
    }
    let verifier = Verifier::new("https://other.test", "notes");
    let token = theirs.sign(&header(), &with(claims(), "iss", json!("https://auth.test")));
    assert_eq!(verifier.verify(&token, &theirs.keys, NOW).map(drop), Err(Refusal::Issuer));
    let unknown = theirs.sign(&with(header(), "kid", json!("k2")), &claims());
    assert_eq!(ours.result(&unknown), Err(Refusal::UnknownKey));
}

#[test]
fn a_signed_time_is_of_its_issuer_and_of_its_type() {
    use shared_claims::revocations::{SignedTime, is_current};
    let issuer = Issuer::new();
    let header = |typ: &str| with(header(), "typ", json!(typ));
    let claims = json!({"iss": "https://auth.test", "iat": NOW, "epoch": 7, "seq": 4});
    let read = |token: &str| SignedTime::read(token, "https://auth.test", &issuer.keys);
    let time = issuer.sign(&header("feed-time+jwt"), &claims);
    assert_eq!(read(&time), Ok(SignedTime { issued_at: NOW, epoch: 7 }));
    for typ in ["at+jwt", "JWT", "revocations+jwt"] {
        assert_eq!(read(&issuer.sign(&header(typ), &claims)), Err(Refusal::Type), "{typ}");
    }
    let foreign = Issuer::new().sign(&header("feed-time+jwt"), &claims);
    assert_eq!(read(&foreign), Err(Refusal::Signature));
    let other =
        issuer.sign(&header("feed-time+jwt"), &with(claims.clone(), "iss", json!("https://other.test")));
    assert_eq!(read(&other), Err(Refusal::Issuer));
    assert!(is_current(NOW - 30, NOW) && is_current(NOW + 30, NOW));
    assert!(!is_current(NOW - 31, NOW) && !is_current(NOW + 31, NOW));
}
