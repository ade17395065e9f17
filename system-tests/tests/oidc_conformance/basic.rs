//! Basic OP and Form Post OP: tokens and claims.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::Value;
use system_tests::openid::{CALLBACK, Provider, pkce};

use super::{Plan, basic_modules};

basic_modules! {
    oidcc_server
    oidcc_idtoken_signature
    oidcc_userinfo_get
    oidcc_userinfo_post_header
    oidcc_userinfo_post_body
    oidcc_scope_profile
    oidcc_scope_email
    oidcc_scope_address
    oidcc_scope_phone
    oidcc_scope_all
    oidcc_claims_essential
    oidcc_codereuse
    oidcc_codereuse_30seconds
    oidcc_server_client_secret_post
    oidcc_refresh_token
    oidcc_ensure_request_with_valid_pkce_succeeds
}

async fn oidcc_server(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[]).await;
    let userinfo = plan.provider.userinfo(&tokens.access_token).await;
    assert_eq!((userinfo.status, &userinfo.json()["sub"]), (200, &tokens.claims["sub"]));
}

async fn oidcc_idtoken_signature(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[]).await;
    assert_eq!(Provider::algorithm(&tokens.id_token), Algorithm::RS256);
}

async fn oidcc_userinfo_get(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[("scope", "openid profile email phone")]).await;
    let userinfo = plan.provider.userinfo(&tokens.access_token).await;
    assert!(userinfo.header("content-type").starts_with("application/json"));
    check_types(&userinfo.json());
}

async fn oidcc_userinfo_post_header(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[]).await;
    let userinfo = plan.provider.userinfo_by_post(Some(&tokens.access_token), None).await;
    assert_eq!(userinfo.json()["sub"], tokens.claims["sub"]);
}

async fn oidcc_userinfo_post_body(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[]).await;
    let userinfo = plan.provider.userinfo_by_post(None, Some(&tokens.access_token)).await;
    assert_eq!(userinfo.json()["sub"], tokens.claims["sub"]);
    let twice = plan.provider.userinfo_by_post(Some(&tokens.access_token), Some(&tokens.access_token)).await;
    assert_eq!(twice.status, 400, "sent in two ways (RFC 6750 section 2)");
}

async fn scope_returns(plan: &Plan, scope: &str, claims: &[&str]) {
    let tokens = plan.tokens(&mut plan.browser(), &[("scope", scope)]).await;
    let userinfo = plan.provider.userinfo(&tokens.access_token).await.json();
    for claim in claims {
        assert!(userinfo.get(claim).is_some(), "{claim}: {userinfo}");
    }
    assert_eq!(userinfo.as_object().unwrap().len(), claims.len() + 1, "and `sub`: {userinfo}");
    check_types(&userinfo);
}

const PROFILE: [&str; 6] = ["name", "given_name", "family_name", "nickname", "preferred_username", "locale"];

async fn oidcc_scope_profile(plan: &Plan) {
    scope_returns(plan, "openid profile", &PROFILE).await;
}

async fn oidcc_scope_email(plan: &Plan) {
    scope_returns(plan, "openid email", &["email", "email_verified"]).await;
}

async fn oidcc_scope_address(plan: &Plan) {
    scope_returns(plan, "openid address", &["address"]).await;
}

async fn oidcc_scope_phone(plan: &Plan) {
    scope_returns(plan, "openid phone", &["phone_number"]).await;
}

async fn oidcc_scope_all(plan: &Plan) {
    let all: Vec<&str> =
        PROFILE.into_iter().chain(["email", "email_verified", "address", "phone_number"]).collect();
    scope_returns(plan, "openid profile email address phone", &all).await;
}

/// The forms of OpenID Connect Core section 5.1.
fn check_types(userinfo: &Value) {
    for (name, value) in userinfo.as_object().unwrap() {
        let fits = match name.as_str() {
            "email_verified" | "phone_number_verified" => value.is_boolean(),
            "updated_at" => value.is_number(),
            "address" => value.is_object(),
            _ => value.is_string(),
        };
        assert!(fits, "{name}: {value}");
    }
}

async fn oidcc_claims_essential(plan: &Plan) {
    let asked = r#"{"userinfo": {"name": {"essential": true}}}"#;
    let tokens = plan.tokens(&mut plan.browser(), &[("claims", asked)]).await;
    assert_eq!(plan.provider.userinfo(&tokens.access_token).await.json()["name"], "Alice Liddell");
}

async fn oidcc_codereuse(plan: &Plan) {
    let callback = plan.authorize(&mut plan.browser(), &[]).await;
    let redeem = || plan.provider.redeem(&plan.client, callback.code(), &[]);
    let (first, second) = (redeem().await, redeem().await);
    assert_eq!((first.status, second.status), (200, 400));
    assert_eq!(second.json()["error"], "invalid_grant");
}

/// The suite waits for 30 s; what matters is that a used code is never good again, and that the access token goes with it.
async fn oidcc_codereuse_30seconds(plan: &Plan) {
    let callback = plan.authorize(&mut plan.browser(), &[]).await;
    let first = plan.provider.redeem(&plan.client, callback.code(), &[]).await;
    let access_token = first.member("access_token");
    assert_eq!(plan.provider.userinfo(&access_token).await.status, 200);
    assert_eq!(plan.provider.redeem(&plan.client, callback.code(), &[]).await.status, 400);
    system_tests::eventually_within(Duration::from_secs(1), "userinfo refuses the token", || async {
        (plan.provider.userinfo(&access_token).await.status == 401).then_some(())
    })
    .await;
}

async fn oidcc_server_client_secret_post(plan: &Plan) {
    let callback = plan.authorize(&mut plan.browser(), &[]).await;
    let public = system_tests::openid::Client { secret: None, ..plan.client.clone() };
    let secret = plan.client.secret.as_deref().unwrap();
    let answer = plan.provider.redeem(&public, callback.code(), &[("client_secret", secret)]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn oidcc_refresh_token(plan: &Plan) {
    let nonce = "0123456789012345678901234567890123456789012";
    let more = [("scope", "openid offline_access"), ("prompt", "consent"), ("nonce", nonce)];
    let mut browser = plan.browser();
    let tokens = plan.tokens(&mut browser, &more).await;
    let refresh_token = tokens.refresh_token.unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let foreign = plan.provider.token(&plan.second, &form).await;
    assert_eq!((foreign.status, foreign.json()["error"].as_str()), (400, Some("invalid_grant")));
    let refreshed = plan.provider.token(&plan.client, &form).await;
    assert_eq!((refreshed.status, refreshed.header("cache-control")), (200, "no-store"));
    assert_eq!(refreshed.json()["token_type"], "Bearer");
    // Without a nonce after a refresh (Core section 12.2).
    let claims = plan.provider.check_id_token(&refreshed.member("id_token"), &plan.client, None).await;
    for same in ["iss", "sub", "aud", "azp", "auth_time", "sid"] {
        assert_eq!(claims.get(same), tokens.claims.get(same), "{same}");
    }
}

async fn oidcc_ensure_request_with_valid_pkce_succeeds(plan: &Plan) {
    let (verifier, challenge) = pkce();
    let more = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let callback = plan.authorize(&mut plan.browser(), &more).await;
    let without = plan.provider.redeem(&plan.client, callback.code(), &[]).await;
    assert_eq!(without.status, 400, "the verifier is missing");
    let proof = [("code_verifier", verifier.as_str())];
    let answer = plan.provider.redeem(&plan.client, callback.code(), &proof).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(plan.client.redirect_uri, CALLBACK);
}
