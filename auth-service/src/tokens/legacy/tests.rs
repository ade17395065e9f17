use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;

const SECRET: &[u8] = b"an old secret that is long enough for HS256";
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn settings() -> LegacySettings {
    LegacySettings {
        algorithm: "HS256".to_owned(),
        key: [SECRET, b"\n"].concat(),
        audience: None,
        issuer: None,
        user_id_claim: "user_id".to_owned(),
        until: Timestamp(NOW.0 + 1),
        leeway: 0,
    }
}

fn token(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn read(settings: LegacySettings, token: &str) -> Option<Result<LegacyClaims, TokenFault>> {
    let legacy = LegacyTokens::new(settings, &[7; 32]).unwrap();
    let token = UnverifiedToken::parse(token, 8192).unwrap();
    legacy.is_one(&token).then(|| legacy.read(&token, NOW))
}

fn claims() -> Value {
    json!({"token_type": "refresh", "exp": 1_800_000_100, "iat": 1_799_999_000, "jti": "j", "user_id": "42"})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn a_token_of_the_old_system_is_read_under_its_key_and_until_the_day_that_was_set() {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let good = token(&header, &claims(), SECRET);
    let read_good = read(settings(), &good).unwrap().unwrap();
    assert_eq!((read_good.kind, read_good.user_id.as_deref()), (Some(LegacyKind::Refresh), Some("42")));
    let numbered = token(&header, &with("user_id", json!(42)), SECRET);
    assert_eq!(read(settings(), &numbered).unwrap().unwrap().user_id.as_deref(), Some("42"));
    let over = LegacySettings { until: NOW, ..settings() };
    assert_eq!(read(over, &good), Some(Err(TokenFault::Invalid)));
    let other = token(&header, &claims(), b"another secret that is long enough as well");
    assert_eq!(read(settings(), &other), Some(Err(TokenFault::Invalid)));
    for header in [
        json!({"alg": "none", "typ": "JWT"}),
        json!({"alg": "HS512", "typ": "JWT"}),
        json!({"alg": "HS256", "typ": "at+jwt"}),
    ] {
        assert_eq!(read(settings(), &token(&header, &claims(), SECRET)), None, "{header}");
    }
}

#[test]
fn what_is_wrong_with_one_is_told_in_simplejwts_order() {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let fault = |claims: Value| read(settings(), &token(&header, &claims, SECRET)).unwrap().unwrap_err();
    assert_eq!(fault(with("exp", json!(1_800_000_000))), TokenFault::Expired);
    assert_eq!(fault(without("exp")), TokenFault::Missing(MissingPart::Expiry));
    assert_eq!(fault(without("jti")), TokenFault::Missing(MissingPart::Id));
    for wrong in [json!("soon"), json!(-1), json!(true), json!([1]), json!(null)] {
        assert_eq!(fault(with("exp", wrong.clone())), TokenFault::Invalid, "{wrong}");
    }
    assert_eq!(fault(with("exp", json!(1_799_999_999.5))), TokenFault::Expired);
    let fraction = token(&header, &with("exp", json!(1_800_000_100.5)), SECRET);
    assert_eq!(read(settings(), &fraction).unwrap().unwrap().exp, 1_800_000_100);
    let fraction = token(&header, &with("iat", json!(1_799_999_000.25)), SECRET);
    assert_eq!(read(settings(), &fraction).unwrap().unwrap().iat, Some(1_799_999_000));
    let lenient = LegacySettings { leeway: 30, ..settings() };
    let late = token(&header, &with("exp", json!(1_799_999_971)), SECRET);
    assert!(read(lenient, &late).unwrap().is_ok());
    let audience = || LegacySettings { audience: Some("api".to_owned()), ..settings() };
    assert!(read(audience(), &token(&header, &claims(), SECRET)).unwrap().is_err());
    assert!(read(audience(), &token(&header, &with("aud", json!(["x", "api"])), SECRET)).unwrap().is_ok());
}

#[test]
fn a_key_that_could_be_guessed_or_is_none_ends_the_start() {
    let with_key = |algorithm: &str, key: &[u8]| {
        let settings = LegacySettings { algorithm: algorithm.to_owned(), key: key.to_vec(), ..settings() };
        LegacyTokens::new(settings, &[7; 32]).map(drop).unwrap_err()
    };
    assert!(with_key("HS256", b"short").contains("guessed"));
    assert!(with_key("RS256", SECRET).contains("PEM"));
    assert!(with_key("none", SECRET).contains("unsupported"));
}

#[test]
fn a_token_is_exchanged_for_one_session_that_nobody_can_foresee() {
    let legacy = LegacyTokens::new(settings(), &[7; 32]).unwrap();
    assert_eq!(legacy.session_id("j"), legacy.session_id("j"));
    assert_ne!(legacy.session_id("j"), legacy.session_id("k"));
    assert_ne!(legacy.session_id("j"), LegacyTokens::new(settings(), &[8; 32]).unwrap().session_id("j"));
}
