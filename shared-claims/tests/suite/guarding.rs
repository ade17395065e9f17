//! What a route asks of a guard, with the issuer that tests of other services use.

use std::sync::Arc;
use std::time::Duration;

use shared_claims::tower::BearerLayer;
use shared_claims::{
    AccessClaims, Credentials, Guard, Refusal, Rejection, Required, Requirement, Scopes, TestIssuer,
    TestToken, Verifier,
};
use tower_layer::Layer;

use crate::asking::{Inner, answer_of};

const ISSUER: &str = "https://auth.test";

fn issuer() -> TestIssuer {
    TestIssuer::new(ISSUER, "notes").unwrap()
}

fn authenticate(guard: &Guard, token: TestToken<'_>) -> Result<Arc<AccessClaims>, Rejection> {
    let header = format!("Bearer {}", token.sign());
    guard.authenticate(Credentials::new([header.as_str()].into_iter()))
}

#[test]
fn a_route_asks_for_all_scopes_or_any_and_for_roles() {
    let issuer = issuer();
    let guard = issuer.guard();
    let reader = authenticate(&guard, issuer.token().scope("a:read b:read").roles(&["viewer"])).unwrap();
    let nobody = authenticate(&guard, issuer.token()).unwrap();
    let lacks = |scopes| Err(Rejection::InsufficientScope(scopes));
    let table = [
        (Required::valid_token(), Ok(()), Ok(())),
        (Required::scope("a:read"), Ok(()), lacks(Scopes::One("a:read"))),
        (Required::scope("a"), lacks(Scopes::One("a")), lacks(Scopes::One("a"))),
        (Required::all_scopes(&["a:read", "b:read"]), Ok(()), lacks(Scopes::All(&["a:read", "b:read"]))),
        (
            Required::all_scopes(&["a:read", "c"]),
            lacks(Scopes::All(&["a:read", "c"])),
            lacks(Scopes::All(&["a:read", "c"])),
        ),
        (Required::any_scope(&["c", "b:read"]), Ok(()), lacks(Scopes::AnyOf(&["c", "b:read"]))),
        (Required::any_scope(&[]), lacks(Scopes::AnyOf(&[])), lacks(Scopes::AnyOf(&[]))),
        (Required::valid_token().any_role(&["editor", "viewer"]), Ok(()), Err(Rejection::InsufficientRole)),
        (
            Required::scope("a:read").any_role(&["editor"]),
            Err(Rejection::InsufficientRole),
            lacks(Scopes::One("a:read")),
        ),
        (
            Required::valid_token().any_role(&[]),
            Err(Rejection::InsufficientRole),
            Err(Rejection::InsufficientRole),
        ),
        (Required::scope("a:read").refused_when_stale(Duration::ZERO), Ok(()), lacks(Scopes::One("a:read"))),
    ];
    for (required, of_reader, of_nobody) in table {
        assert_eq!(guard.permits(&reader, &required), of_reader, "{required:?}");
        assert_eq!(guard.permits(&nobody, &required), of_nobody, "{required:?}");
    }
}

#[test]
fn a_challenge_names_what_a_caller_should_request_next_time() {
    let challenge = |scopes| Rejection::InsufficientScope(scopes).challenge().unwrap();
    let of = |scope| format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    assert_eq!(challenge(Scopes::One("a")), of("a"));
    assert_eq!(challenge(Scopes::All(&["a", "b"])), of("a b"));
    assert_eq!(challenge(Scopes::AnyOf(&["a", "b"])), of("a"));
    // Which roles there are is nobody's business.
    assert_eq!(
        Rejection::InsufficientRole.challenge().as_deref(),
        Some("Bearer error=\"insufficient_scope\"")
    );
    assert_eq!(Rejection::InsufficientRole.http_status(), 403);
}

#[test]
fn what_the_test_issuer_revokes_is_refused_from_then_on() {
    let issuer = issuer();
    let guard = issuer.guard();
    let revoked = Err(Rejection::Invalid(Refusal::Revoked));
    let of = |sub: &str, sid: &str, jti: &str| issuer.token().subject(sub).session(sid).id(jti);
    assert!(authenticate(&guard, of("alice", "s1", "t1")).is_ok());
    issuer.revoke_token("t1");
    assert_eq!(authenticate(&guard, of("alice", "s1", "t1")), revoked);
    issuer.revoke_session("s1");
    assert_eq!(authenticate(&guard, of("alice", "s1", "t2")), revoked);
    issuer.revoke_subject("alice");
    assert_eq!(authenticate(&guard, of("alice", "s2", "t3")), revoked);
    assert!(authenticate(&guard, of("bob", "s3", "t4")).is_ok());
    assert_eq!(
        authenticate(&guard, issuer.token().expired()).map(drop),
        Err(Rejection::Invalid(Refusal::Expired))
    );
    let elsewhere = issuer.token().audience("orders");
    assert_eq!(authenticate(&guard, elsewhere).map(drop), Err(Rejection::Invalid(Refusal::Audience)));
    let foreign = TestIssuer::new(ISSUER, "notes").unwrap();
    assert_eq!(
        authenticate(&guard, foreign.token()).map(drop),
        Err(Rejection::Invalid(Refusal::Signature)),
        "each issuer has a key of its own"
    );
}

#[test]
fn a_guard_with_fixed_keys_verifies_and_refuses_where_freshness_is_asked_for() {
    let issuer = issuer();
    let guard = Guard::with_fixed_keys(Verifier::new(ISSUER, "notes"), issuer.key_set());
    let claims = authenticate(&guard, issuer.token().scope("a")).unwrap();
    assert_eq!(guard.permits(&claims, &Required::scope("a")), Ok(()));
    let fresh = Required::scope("a").refused_when_stale(Duration::from_secs(3600));
    assert_eq!(guard.permits(&claims, &fresh), Err(Rejection::Stale));
}

struct NotesRead;

impl Requirement for NotesRead {
    const REQUIRED: Required = Required::scope("notes:read");
}

#[test]
fn the_layer_hands_claims_on_and_answers_everything_else_itself() {
    let issuer = issuer();
    let layer = BearerLayer::<NotesRead>::new(issuer.guard());
    let mut service = layer.layer(Inner);
    let mut answer = |headers: &[String]| {
        let mut request = http::Request::new(());
        for header in headers {
            request.headers_mut().append("authorization", header.parse().unwrap());
        }
        answer_of(&mut service, request)
    };
    let bearer = |token: TestToken<'_>| format!("Bearer {}", token.sign());
    let passed = answer(&[bearer(issuer.token().subject("alice").scope("notes:read"))]);
    assert_eq!((passed.status().as_u16(), passed.body().as_str()), (200, "alice"));
    let table = [
        (vec![], 401, "unauthorized", Some("Bearer")),
        (
            vec![bearer(issuer.token().expired())],
            401,
            "invalid_token",
            Some("Bearer error=\"invalid_token\""),
        ),
        (
            vec![bearer(issuer.token())],
            403,
            "insufficient_scope",
            Some("Bearer error=\"insufficient_scope\", scope=\"notes:read\""),
        ),
        (
            vec!["Bearer a".to_owned(), "Bearer b".to_owned()],
            400,
            "invalid_request",
            Some("Bearer error=\"invalid_request\""),
        ),
    ];
    for (headers, status, error, challenge) in table {
        let refused = answer(&headers);
        let body: serde_json::Value = serde_json::from_str(refused.body()).unwrap();
        assert_eq!((refused.status().as_u16(), body["error"].as_str()), (status, Some(error)));
        let sent = refused.headers().get("www-authenticate").map(|value| value.to_str().unwrap());
        assert_eq!(sent, challenge);
    }
}
