//! Basic OP and Form Post OP: what the user is shown.

use std::time::Duration;

use super::{Plan, basic_modules};

basic_modules! {
    oidcc_display_page
    oidcc_display_popup
    oidcc_prompt_login
    oidcc_prompt_none_not_logged_in
    oidcc_prompt_none_logged_in
    oidcc_max_age_1
    oidcc_max_age_10000
    oidcc_id_token_hint
    oidcc_login_hint
    oidcc_ui_locales
    oidcc_claims_locales
    oidcc_ensure_request_with_acr_values_succeeds
}

/// The page on which users log in.
const LOGIN: &str = "/login/password";

async fn oidcc_display_page(plan: &Plan) {
    plan.tokens(&mut plan.browser(), &[("display", "page")]).await;
}

async fn oidcc_display_popup(plan: &Plan) {
    plan.tokens(&mut plan.browser(), &[("display", "popup")]).await;
}

async fn oidcc_prompt_login(plan: &Plan) {
    let mut browser = plan.browser();
    let first = plan.tokens(&mut browser, &[]).await;
    next_second().await;
    let second = plan.tokens(&mut browser, &[("prompt", "login")]).await;
    assert_eq!(second.pages, [LOGIN]);
    assert!(second.claims["auth_time"].as_u64() > first.claims["auth_time"].as_u64());
}

async fn oidcc_prompt_none_not_logged_in(plan: &Plan) {
    let state = "x".repeat(128);
    let callback = plan.authorize(&mut plan.browser(), &[("prompt", "none"), ("state", &state)]).await;
    let known = ["interaction_required", "login_required", "account_selection_required", "consent_required"];
    assert!(known.contains(&callback.error()));
    let allowed = ["error", "error_description", "error_uri", "state", "session_state", "iss"];
    assert!(callback.parameters.keys().all(|name| allowed.contains(&name.as_str())), "{callback:?}");
    assert!(callback.pages.is_empty());
}

async fn oidcc_prompt_none_logged_in(plan: &Plan) {
    let mut browser = plan.browser();
    let first = plan.tokens(&mut browser, &[]).await;
    let second = plan.tokens(&mut browser, &[("prompt", "none")]).await;
    assert!(second.pages.is_empty());
    for same in ["sub", "auth_time", "sid"] {
        assert_eq!(first.claims[same], second.claims[same], "{same}");
    }
}

async fn oidcc_max_age_1(plan: &Plan) {
    let mut browser = plan.browser();
    let first = plan.tokens(&mut browser, &[]).await;
    next_second().await;
    next_second().await;
    let second = plan.tokens(&mut browser, &[("max_age", "1")]).await;
    assert_eq!(second.pages, [LOGIN]);
    assert!(second.claims["auth_time"].as_u64() > first.claims["auth_time"].as_u64());
    // It is met by one login, also where nothing is recent enough.
    let at_once = plan.tokens(&mut browser, &[("max_age", "0")]).await;
    assert_eq!(at_once.pages, [LOGIN]);
}

async fn oidcc_max_age_10000(plan: &Plan) {
    let mut browser = plan.browser();
    let first = plan.tokens(&mut browser, &[("max_age", "15000")]).await;
    let second = plan.tokens(&mut browser, &[("max_age", "10000")]).await;
    assert!(second.pages.is_empty());
    assert_eq!(first.claims["auth_time"], second.claims["auth_time"]);
}

async fn oidcc_id_token_hint(plan: &Plan) {
    let mut browser = plan.browser();
    let first = plan.tokens(&mut browser, &[]).await;
    let hint = first.id_token.as_str();
    let second = plan.tokens(&mut browser, &[("prompt", "none"), ("id_token_hint", hint)]).await;
    assert_eq!(first.claims["sub"], second.claims["sub"]);
}

async fn oidcc_login_hint(plan: &Plan) {
    let mut browser = plan.browser();
    let page = browser.open("/oauth2/authorize", &plan.request(&[("login_hint", "alice")])).await;
    assert!(page.text.contains("value=\"alice\""), "the name is filled in");
    assert!(browser.go_through(page).await.get("code").is_some());
}

async fn oidcc_ui_locales(plan: &Plan) {
    let page =
        plan.browser().open("/oauth2/authorize", &plan.request(&[("ui_locales", "nl fr-CA de")])).await;
    assert!(page.text.contains("<html lang=\"fr\">") && page.text.contains("Mot de passe"), "{}", page.text);
    plan.tokens(&mut plan.browser(), &[("ui_locales", "se")]).await;
}

async fn oidcc_claims_locales(plan: &Plan) {
    plan.tokens(&mut plan.browser(), &[("claims_locales", "se")]).await;
}

async fn oidcc_ensure_request_with_acr_values_succeeds(plan: &Plan) {
    let tokens = plan.tokens(&mut plan.browser(), &[("acr_values", "1 2")]).await;
    assert!(["1", "2"].contains(&tokens.claims["acr"].as_str().unwrap()));
}

/// Times in tokens are in whole seconds.
async fn next_second() {
    let now = shared_claims::clock::unix_now();
    system_tests::eventually_within(Duration::from_secs(2), "the next second", || async {
        (shared_claims::clock::unix_now() > now).then_some(())
    })
    .await;
}
