//! The cache of verified tokens against the verifier without one: the same answer, always.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use shared_claims::cache::CachingVerifier;
use shared_claims::revocations::{Fingerprints, RevocationEntry, RevocationsWriter, Target};
use shared_claims::{AccessClaims, KeySet, Refusal, Verifier};

use super::verifier::{Issuer, NOW, claims, header, with};

const ISSUERS: [&str; 2] = ["https://auth.test", "https://other.test"];
const AUDIENCES: [&str; 2] = ["notes", "orders"];

/// One question: a token, at a verifier, under a key set, at a moment.
#[derive(Debug, Clone)]
struct Question {
    token: usize,
    verifier: usize,
    keys: usize,
    now: u64,
    /// Whether the token's session is revoked just before.
    revoked: bool,
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let revoked = prop::bool::weighted(0.03);
    let question = (0..TOKENS, 0..4_usize, 0..3_usize, NOW - 100..NOW + 500, revoked);
    let question = question.prop_map(|(token, verifier, keys, now, revoked)| Question {
        token,
        verifier,
        keys,
        now,
        revoked,
    });
    prop::collection::vec(question, 1..200)
}

const TOKENS: usize = 14;

/// Good tokens for each issuer and audience, some that differ at their very end only, and bad ones.
fn tokens(issuer: &Issuer) -> Vec<String> {
    let mut tokens = Vec::new();
    for iss in ISSUERS {
        for aud in AUDIENCES {
            // Each pair has a session of its own.
            let base = with(with(claims(), "iss", json!(iss)), "aud", json!(aud));
            let base = with(base, "sid", json!(format!("{iss} {aud}")));
            tokens.push(issuer.sign(&header(), &base));
            // Equal to it in header and `sub`, and alike for 6 kB.
            let long = with(base, "a-padding", json!("x".repeat(4500)));
            tokens.push(issuer.sign(&header(), &with(long.clone(), "z", json!(1))));
            tokens.push(issuer.sign(&header(), &with(long, "z", json!(2))));
        }
    }
    let good = tokens[0].clone();
    tokens.push(issuer.sign(&with(header(), "typ", json!("rt+jwt")), &claims()));
    tokens.push(format!("{}A", &good[..good.len() - 1]));
    assert_eq!(tokens.len(), TOKENS);
    tokens
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cached_answer_is_the_answer(questions in questions()) {
        let (issuer, stranger) = (Issuer::new(), Issuer::new());
        let tokens = tokens(&issuer);
        // The issuer's keys, the same read again, and a set in which another key has the name.
        let again = KeySet::from_jwks(issuer.jwks().to_string().as_bytes()).unwrap();
        let sets = [issuer.keys.clone(), again, stranger.keys.clone()];
        let plain: Vec<Verifier> = ISSUERS
            .iter()
            .flat_map(|iss| AUDIENCES.map(|aud| Verifier::builder(*iss, aud).leeway(Duration::ZERO).build()))
            .collect();
        // Room for a few only, so that entries are pushed out as well.
        let caching: Vec<CachingVerifier> =
            plain.iter().map(|verifier| CachingVerifier::with_capacity(verifier.clone(), 40_000)).collect();
        let mut revoking = RevocationsWriter::new(Fingerprints::with_key([5; 16]));
        let mut revocations = revoking.readers();
        let mut revoked_sessions = HashSet::new();
        for question in questions {
            let Question { token, verifier, keys, now, revoked } = question;
            let expected = plain[verifier].verify(&tokens[token], &sets[keys], now);
            if let (true, Ok(AccessClaims { sid: Some(sid), .. })) = (revoked, &expected) {
                if revoking.apply([RevocationEntry { target: Target::Session(sid), expires_at: NOW + 1000 }], now) {
                    revocations = revoking.readers();
                }
                revoked_sessions.insert(sid.clone());
            }
            // As the guard does it: the cache's answer, then the question of revocation, each time.
            let cached = caching[verifier].verify_before_binding(&tokens[token], &sets[keys], now);
            let passes = cached.as_ref().is_ok_and(|claims| !revocations.matches(claims));
            let should_pass =
                expected.as_ref().is_ok_and(|claims| !claims.sid.as_ref().is_some_and(|sid| revoked_sessions.contains(sid)));
            prop_assert_eq!(passes, should_pass);
            prop_assert_eq!(cached.map(|claims| (*claims).clone()), expected);
        }
    }
}

#[test]
fn an_entry_ends_with_its_token_and_with_its_key() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let verifier =
        CachingVerifier::new(Verifier::builder("https://auth.test", "notes").leeway(Duration::ZERO).build());
    let token = issuer.sign(&header(), &claims());
    assert!(verifier.verify_before_binding(&token, &issuer.keys, NOW).is_ok());
    assert_eq!(verifier.len(), 1);
    let removed = verifier.verify_before_binding(&token, &stranger.keys, NOW);
    assert_eq!(removed.map(drop), Err(Refusal::Signature), "its key has gone");
    assert!(verifier.verify_before_binding(&token, &issuer.keys, NOW + 299).is_ok());
    assert_eq!(
        verifier.verify_before_binding(&token, &issuer.keys, NOW + 300).map(drop),
        Err(Refusal::Expired)
    );
    assert!(verifier.is_empty());
}

#[test]
fn what_was_refused_is_not_kept_and_what_is_kept_is_bounded() {
    let issuer = Issuer::new();
    let verifier = CachingVerifier::with_capacity(Verifier::new("https://auth.test", "notes"), 100_000);
    let good = issuer.sign(&header(), &claims());
    verifier.verify_before_binding(&good, &issuer.keys, NOW).unwrap();
    for number in 0..2000 {
        let garbage = issuer.sign(&header(), &with(claims(), "aud", Value::from(number.to_string())));
        assert!(verifier.verify_before_binding(&garbage, &issuer.keys, NOW).is_err());
    }
    assert_eq!(verifier.len(), 1, "garbage pushes nothing out");
    for number in 0..2000 {
        let another = issuer.sign(&header(), &with(claims(), "jti", Value::from(number.to_string())));
        verifier.verify_before_binding(&another, &issuer.keys, NOW).unwrap();
    }
    assert!(verifier.len() < 100, "{}", verifier.len());
    let too_long = "x".repeat(8193);
    assert_eq!(verifier.verify_before_binding(&too_long, &issuer.keys, NOW).map(drop), Err(Refusal::TooLong));
}

#[test]
fn many_threads_get_the_answer_while_entries_come_and_go() {
    let issuer = Issuer::new();
    let plain = Verifier::new("https://auth.test", "notes");
    // Room for a third of them.
    let caching = CachingVerifier::with_capacity(plain.clone(), 60 * 2048);
    let token = |number: usize| issuer.sign(&header(), &with(claims(), "jti", json!(format!("j{number}"))));
    let tokens: Vec<String> = (0..180).map(token).collect();
    let expected: Vec<_> =
        tokens.iter().map(|token| plain.verify(token, &issuer.keys, NOW).unwrap()).collect();
    std::thread::scope(|threads| {
        for thread in 0..4_usize {
            let (caching, tokens, expected, keys) = (&caching, &tokens, &expected, &issuer.keys);
            threads.spawn(move || {
                for step in 0..3000 {
                    let number = (step * (2 * thread + 1) + thread * 31) % tokens.len();
                    let claims = caching.verify_before_binding(&tokens[number], keys, NOW).unwrap();
                    assert_eq!(*claims, expected[number]);
                    assert_eq!(
                        caching.verify_before_binding(&tokens[number], keys, NOW + 1000).map(drop),
                        Err(Refusal::Expired)
                    );
                }
            });
        }
    });
    assert!(caching.len() <= 120, "{} are kept", caching.len());
    for (token, expected) in tokens.iter().zip(&expected) {
        assert_eq!(*caching.verify_before_binding(token, &issuer.keys, NOW).unwrap(), *expected);
    }
}

#[test]
fn what_is_asked_for_often_outlives_what_was_asked_for_once() {
    let issuer = Issuer::new();
    let caching = CachingVerifier::with_capacity(Verifier::new("https://auth.test", "notes"), 100_000);
    let token = |number: usize| issuer.sign(&header(), &with(claims(), "jti", json!(format!("j{number}"))));
    let favourite = token(0);
    let first = caching.verify_before_binding(&favourite, &issuer.keys, NOW).unwrap();
    for number in 1..2000 {
        caching.verify_before_binding(&token(number), &issuer.keys, NOW).unwrap();
        let again = caching.verify_before_binding(&favourite, &issuer.keys, NOW).unwrap();
        assert!(std::sync::Arc::ptr_eq(&first, &again), "it was pushed out by the {number}th that came once");
    }
}
