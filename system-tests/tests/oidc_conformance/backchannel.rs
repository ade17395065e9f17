//! Back-Channel OP.

use std::collections::BTreeMap;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::Value;
use system_tests::listener::Listener;
use system_tests::openid::{BYE, ISSUER, Provider};
use system_tests::{Database, on_both_databases};

use super::Plan;

on_both_databases! {
    oidcc_backchannel_logout_discovery_endpoint_verification
    oidcc_backchannel_rp_initiated_logout
}

async fn oidcc_backchannel_logout_discovery_endpoint_verification(database: Database) {
    let provider = Provider::start(database).await;
    let metadata = provider.get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["backchannel_logout_supported"], true);
    assert_eq!(metadata["backchannel_logout_session_supported"], true);
}

async fn oidcc_backchannel_rp_initiated_logout(database: Database) {
    let mut plan = Plan::start(database).await;
    let listener = Listener::start().await;
    let url = listener.url("/backchannel");
    plan.client = plan.provider.client("told", &["--pkce-optional", "--backchannel-logout-uri", &url]).await;
    let mut browser = plan.browser();
    let tokens = plan.tokens(&mut browser, &[]).await;
    let back = [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", BYE)];
    assert_eq!(browser.open("/oauth2/logout", &back).await.header("location"), BYE);
    // The browser waited: the client that it goes back to has forgotten the session.
    let request = listener.next(Duration::ZERO).await;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/backchannel"));
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    let (name, token) = request.body.split_once('=').unwrap();
    assert!(name == "logout_token" && !token.contains('&'), "one parameter: {}", request.body);
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!(header.typ.as_deref(), Some("logout+jwt"));
    let claims = verified(&plan, token, &header).await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&tokens.claims["sub"], &tokens.claims["sid"]));
    assert!(claims.get("nonce").is_none() && claims["jti"].is_string() && claims["iat"].is_u64());
    assert_eq!(
        claims["events"],
        serde_json::json!({"http://schemas.openid.net/event/backchannel-logout": {}})
    );
    // Told once: no second request comes.
    assert!(listener.none_within(Duration::from_secs(2)).await);
}

async fn verified(plan: &Plan, token: &str, header: &jsonwebtoken::Header) -> Value {
    let keys = plan.provider.get("/.well-known/jwks.json").await.json();
    let by_kid: BTreeMap<&str, &Value> =
        keys["keys"].as_array().unwrap().iter().map(|key| (key["kid"].as_str().unwrap(), key)).collect();
    let key = serde_json::from_value(by_kid[header.kid.as_deref().unwrap()].clone()).unwrap();
    let mut rules = Validation::new(header.alg);
    rules.set_issuer(&[ISSUER]);
    rules.set_audience(&[&plan.client.id]);
    rules.set_required_spec_claims(&["iss", "aud", "exp"]);
    jsonwebtoken::decode(token, &DecodingKey::from_jwk(&key).unwrap(), &rules).unwrap().claims
}
