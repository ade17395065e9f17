use std::time::Duration;

use auth_service::clients::GrantType;
use auth_service::error::{ErrorKind, OAuthFault, SignInFault};

use super::{
    EXPIRED, INVALID, InProcess, REVOKED, WRONG_TYPE, claims, decoded, narrowing_grant, refresh_grant,
};

#[test]
fn a_retry_within_the_grace_gets_the_same_successor_and_a_later_use_ends_the_session() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let first = signet.log_in(&client, "alice");
    let second = signet.refresh(&client, &first.refresh).unwrap();
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(claims(&second.access)["sid"], claims(&first.access)["sid"]);
    // The last moment of the grace.
    signet.clock.advance(Duration::from_millis(9_999));
    assert_eq!(signet.refresh(&client, &first.refresh).unwrap().refresh, second.refresh, "byte for byte");
    signet.clock.advance(Duration::from_millis(2));
    assert_eq!(signet.refresh(&client, &first.refresh).err().unwrap(), REVOKED, "that was reuse");
    assert_eq!(signet.refresh(&client, &second.refresh).err().unwrap(), REVOKED, "so its session has ended");
    assert_eq!(signet.verify(&second.access), Err(REVOKED), "with its access tokens");
}

#[test]
fn a_successor_is_good_for_a_successor_however_often() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let mut pair = signet.log_in(&client, "alice");
    for _ in 0..5 {
        signet.clock.advance(Duration::from_secs(60));
        pair = signet.refresh(&client, &pair.refresh).unwrap();
    }
    assert_eq!(signet.verify(&pair.access), Ok(()));
}

#[test]
fn a_wrong_client_learns_nothing_and_spends_nothing() {
    let signet = InProcess::new();
    signet.user("alice");
    let (owner, other) = (signet.client("web"), signet.client("other"));
    let pair = signet.log_in(&owner, "alice");
    assert_eq!(signet.refresh(&other, &pair.refresh).err().unwrap(), INVALID);
    let unregistered = signet.client_like("machine", |new| new.grants = vec![GrantType::ClientCredentials]);
    let refused = signet.refresh(&unregistered, &pair.refresh).err().unwrap();
    assert_eq!(refused, ErrorKind::OAuth(OAuthFault::UnauthorizedClient));
    assert!(signet.refresh(&owner, &pair.refresh).is_ok());
}

#[test]
fn what_is_no_refresh_token_is_refused() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    assert_eq!(signet.refresh(&client, &pair.access).err().unwrap(), WRONG_TYPE);
    for garbage in ["", "a.b.c", "not a token"] {
        assert_eq!(signet.refresh(&client, garbage).err().unwrap(), INVALID, "{garbage:?}");
    }
    // Altered in its last character but one: the last one has spare bits.
    let mut altered = pair.refresh.clone().into_bytes();
    let at = altered.len() - 2;
    altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
    assert_eq!(signet.refresh(&client, &String::from_utf8(altered).unwrap()).err().unwrap(), INVALID);
}

#[test]
fn an_idle_session_ends_and_one_that_is_used_ends_at_its_absolute_end() {
    let signet = InProcess::with(|settings| {
        settings.tokens.refresh_idle_ttl = Duration::from_secs(600);
        settings.tokens.refresh_absolute_ttl = Duration::from_secs(1500);
    });
    signet.user("alice");
    let client = signet.first_party();
    let idle = signet.log_in(&client, "alice");
    let used = signet.log_in(&client, "alice");
    signet.clock.advance(Duration::from_millis(599_999));
    let used = signet.refresh(&client, &used.refresh).unwrap();
    signet.clock.advance(Duration::from_millis(1));
    assert_eq!(signet.refresh(&client, &idle.refresh).err().unwrap(), EXPIRED);
    signet.clock.advance(Duration::from_secs(590));
    let used = signet.refresh(&client, &used.refresh).unwrap();
    signet.clock.advance(Duration::from_millis(309_999));
    let used = signet.refresh(&client, &used.refresh).unwrap();
    signet.clock.advance(Duration::from_millis(1));
    assert_eq!(signet.refresh(&client, &used.refresh).err().unwrap(), EXPIRED, "1500 s after the login");
}

#[test]
fn a_scope_only_narrows_and_a_refused_one_spends_nothing() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.client("web");
    let pair = signet.log_in(&client, "alice");
    let with = |scope: &str| signet.grant(&client, narrowing_grant(&pair.refresh, Some(scope)));
    assert_eq!(with("read admin").err().unwrap(), ErrorKind::OAuth(OAuthFault::InvalidScope));
    let narrower = with("read").unwrap();
    assert_eq!(narrower.scope, "read");
    let next = signet.grant(&client, refresh_grant(&narrower.refresh_token.unwrap())).unwrap();
    assert_eq!(next.scope, "read write", "the session keeps its scope (RFC 6749 section 6)");
}

#[test]
fn a_disabled_user_gets_no_successor() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    assert_eq!(signet.authority.disable_user("alice").unwrap(), 1);
    let refused = signet.refresh(&client, &pair.refresh).err().unwrap();
    assert_eq!(refused, ErrorKind::SignIn(SignInFault::AccountInactive));
}

#[test]
fn where_tokens_are_not_rotated_a_session_keeps_its_refresh_token() {
    let signet = InProcess::with(|settings| settings.simplejwt.rotate_refresh_tokens = false);
    signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    for _ in 0..3 {
        signet.clock.advance(Duration::from_secs(60));
        let issued = signet.grant(&client, refresh_grant(&pair.refresh)).unwrap();
        assert_eq!(issued.refresh_token, None);
        assert_eq!(signet.verify(&issued.access_token), Ok(()));
    }
}

/// A replica of the previous version must return the same bytes to a retry.
#[test]
fn refresh_token_claims_keep_their_order() {
    let signet = InProcess::new();
    let user = signet.user("alice");
    let pair = signet.log_in(&signet.first_party(), "alice");
    let parts: Vec<String> = pair.refresh.split('.').take(2).map(decoded).collect();
    let claims: serde_json::Value = serde_json::from_str(&parts[1]).unwrap();
    let kid = serde_json::from_str::<serde_json::Value>(&parts[0]).unwrap()["kid"].clone();
    assert_eq!(parts[0], format!("{{\"alg\":\"HS256\",\"typ\":\"rt+jwt\",\"kid\":{kid}}}"));
    let (issuer, user) = ("\"http://127.0.0.1:8080\"", format!("\"{user}\""));
    let (jti, sid, client) = (&claims["jti"], &claims["sid"], &claims["client_id"]);
    let expected = format!(
        "{{\"token_type\":\"refresh\",\"exp\":{},\"iat\":1800000000,\"jti\":{jti},\"user_id\":{user},\"iss\":{issuer},\
         \"sub\":{user},\"aud\":{issuer},\"sid\":{sid},\"gen\":0,\"client_id\":{client}}}",
        1_800_000_000 + 86_400,
    );
    assert_eq!(parts[1], expected);
}
