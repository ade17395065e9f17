//! Basic OP and Form Post OP: what requests may look like.

use system_tests::openid::{CALLBACK, Reply};

use super::{Plan, basic_modules};

basic_modules! {
    oidcc_response_type_missing
    oidcc_ensure_request_without_nonce_succeeds_for_code_flow
    oidcc_alternate_happy_flow
    oidcc_ensure_request_with_unknown_parameter_succeeds
    oidcc_ensure_registered_redirect_uri
    oidcc_ensure_post_request_succeeds
    oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported
    oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported
    oidcc_ensure_request_object_with_redirect_uri
    oidcc_ensure_redirect_uri_in_authorization_request
    oidcc_redirect_uri_query_mismatch
    oidcc_redirect_uri_query_added
}

async fn oidcc_response_type_missing(plan: &Plan) {
    let callback = plan.authorize(&mut plan.browser(), &[("response_type", "")]).await;
    assert_eq!(callback.error(), "invalid_request");
}

async fn oidcc_ensure_request_without_nonce_succeeds_for_code_flow(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[("nonce", "")]).await;
    assert!(tokens.claims.get("nonce").is_none());
}

async fn oidcc_alternate_happy_flow(plan: &Plan) {
    let mut request = plan.request(&[("scope", "email profile openid")]);
    request.reverse();
    assert!(plan.browser().authorize(&request).await.get("code").is_some());
}

async fn oidcc_ensure_request_with_unknown_parameter_succeeds(plan: &Plan) {
    plan.tokens(&mut plan.browser(), &[("extra", "foobar")]).await;
}

/// A page, and no way from there.
fn is_error_page(reply: &Reply) {
    assert_eq!(reply.status, 400);
    assert!(!reply.headers.contains_key("location") && reply.refresh().is_none() && reply.action().is_none());
    assert!(reply.header("content-type").starts_with("text/html"));
}

async fn page_for(plan: &Plan, redirect_uri: &str) -> Reply {
    plan.browser().open("/oauth2/authorize", &plan.request(&[("redirect_uri", redirect_uri)])).await
}

async fn oidcc_ensure_registered_redirect_uri(plan: &Plan) {
    let unregistered = format!("{CALLBACK}/unregistered");
    is_error_page(&page_for(plan, &unregistered).await);
}

async fn oidcc_ensure_redirect_uri_in_authorization_request(plan: &Plan) {
    is_error_page(&page_for(plan, "").await);
}

async fn oidcc_redirect_uri_query_mismatch(plan: &Plan) {
    is_error_page(&page_for(plan, &format!("{CALLBACK}?foo=bar")).await);
}

async fn oidcc_redirect_uri_query_added(plan: &Plan) {
    is_error_page(&page_for(plan, &format!("{CALLBACK}?")).await);
}

/// From another site: without cookies, and the user who is logged in stays so.
async fn oidcc_ensure_post_request_succeeds(plan: &Plan) {
    let mut browser = plan.browser();
    plan.tokens(&mut browser, &[]).await;
    let led = browser.submit_from_elsewhere("/oauth2/authorize", &plan.request(&[("prompt", "none")])).await;
    assert_eq!(led.status, 303);
    let first = browser.follow(&led).await;
    let callback = browser.go_through(first).await;
    assert!(callback.get("code").is_some() && callback.pages.is_empty(), "{callback:?}");
}

async fn oidcc_request_uri_unsigned_supported_correctly_or_rejected_as_unsupported(plan: &Plan) {
    let more = [("request_uri", "https://app.test/request.jwt")];
    let callback = plan.authorize(&mut plan.browser(), &more).await;
    assert_eq!(callback.error(), "request_uri_not_supported");
}

/// `{"alg":"none"}` and some claims.
const UNSIGNED: &str = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwudGVzdC8ifQ.";

async fn oidcc_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(plan: &Plan) {
    let callback = plan.authorize(&mut plan.browser(), &[("request", UNSIGNED)]).await;
    assert_eq!(callback.error(), "request_not_supported");
}

async fn oidcc_ensure_request_object_with_redirect_uri(plan: &Plan) {
    // Only in the object: a page, not the client's only redirect URI.
    let request = plan.request(&[("request", UNSIGNED), ("redirect_uri", "")]);
    is_error_page(&plan.browser().open("/oauth2/authorize", &request).await);
    // Different in the object: refused at the registered one.
    let callback = plan.authorize(&mut plan.browser(), &[("request", UNSIGNED)]).await;
    assert_eq!(callback.error(), "request_not_supported");
}
