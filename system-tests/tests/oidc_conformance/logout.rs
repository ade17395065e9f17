//! RP-Initiated Logout OP.

use system_tests::openid::{BYE, Reply, UserAgent};
use system_tests::{Database, on_both_databases};

use super::{Plan, Tokens};

on_both_databases! {
    oidcc_rp_initiated_logout
    oidcc_rp_initiated_logout_no_state
    oidcc_rp_initiated_logout_no_params
    oidcc_rp_initiated_logout_only_state
    oidcc_rp_initiated_logout_no_post_logout_redirect_uri
    oidcc_rp_initiated_logout_bad_post_logout_redirect_uri
    oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri
    oidcc_rp_initiated_logout_no_id_token_hint
    oidcc_rp_initiated_logout_bad_id_token_hint
    oidcc_rp_initiated_logout_modified_id_token_hint
}

async fn logged_in(plan: &Plan) -> (UserAgent<'_>, Tokens) {
    let mut browser = plan.browser();
    let tokens = plan.tokens(&mut browser, &[]).await;
    (browser, tokens)
}

async fn is_logged_out(plan: &Plan, browser: &mut UserAgent<'_>) -> bool {
    let callback = plan.authorize(browser, &[("prompt", "none")]).await;
    callback.get("error") == Some("login_required")
}

fn is_page(reply: &Reply) {
    assert_eq!(reply.status, 200);
    assert!(!reply.headers.contains_key("location") && reply.refresh().is_none(), "{}", reply.text);
}

/// The user confirms; the browser session is over.
async fn confirm(plan: &Plan, browser: &mut UserAgent<'_>, question: &Reply) -> Reply {
    is_page(question);
    assert!(!is_logged_out(plan, browser).await, "a page that asks ends nothing");
    let interaction = question.field("interaction").unwrap();
    let form = [("interaction", interaction.as_str()), ("decision", "logout")];
    let done = browser.submit(&question.action().unwrap(), &form).await;
    assert!(is_logged_out(plan, browser).await);
    done
}

async fn oidcc_rp_initiated_logout(database: Database) {
    let plan = Plan::start(database).await;
    let (mut browser, tokens) = logged_in(&plan).await;
    let query =
        [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s 1")];
    let answer = browser.open("/oauth2/logout", &query).await;
    assert_eq!((answer.status, answer.header("location")), (303, format!("{BYE}?state=s+1").as_str()));
    assert!(is_logged_out(&plan, &mut browser).await);
    // By POST, as the specification allows: led to the same by GET.
    let (mut browser, tokens) = logged_in(&plan).await;
    let form = [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", BYE)];
    let led = browser.submit_from_elsewhere("/oauth2/logout", &form).await;
    assert_eq!(browser.follow(&led).await.header("location"), BYE);
    assert!(is_logged_out(&plan, &mut browser).await);
}

async fn oidcc_rp_initiated_logout_no_state(database: Database) {
    let plan = Plan::start(database).await;
    let (mut browser, tokens) = logged_in(&plan).await;
    let query = [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", BYE)];
    assert_eq!(browser.open("/oauth2/logout", &query).await.header("location"), BYE);
}

async fn oidcc_rp_initiated_logout_no_params(database: Database) {
    let plan = Plan::start(database).await;
    let (mut browser, _) = logged_in(&plan).await;
    let question = browser.open("/oauth2/logout", &[]).await;
    let done = confirm(&plan, &mut browser, &question).await;
    is_page(&done);
}

async fn oidcc_rp_initiated_logout_only_state(database: Database) {
    let plan = Plan::start(database).await;
    let (mut browser, _) = logged_in(&plan).await;
    let question = browser.open("/oauth2/logout", &[("state", "s")]).await;
    let done = confirm(&plan, &mut browser, &question).await;
    is_page(&done);
}

async fn oidcc_rp_initiated_logout_no_post_logout_redirect_uri(database: Database) {
    let plan = Plan::start(database).await;
    let (mut browser, tokens) = logged_in(&plan).await;
    let query = [("id_token_hint", tokens.id_token.as_str()), ("state", "s")];
    is_page(&browser.open("/oauth2/logout", &query).await);
    assert!(is_logged_out(&plan, &mut browser).await);
}

async fn no_redirect_to(database: Database, uri: &str) {
    let plan = Plan::start(database).await;
    let (mut browser, tokens) = logged_in(&plan).await;
    let query = [("id_token_hint", tokens.id_token.as_str()), ("post_logout_redirect_uri", uri)];
    is_page(&browser.open("/oauth2/logout", &query).await);
}

async fn oidcc_rp_initiated_logout_bad_post_logout_redirect_uri(database: Database) {
    no_redirect_to(database, "https://evil.test/bye").await;
}

async fn oidcc_rp_initiated_logout_query_added_to_post_logout_redirect_uri(database: Database) {
    no_redirect_to(database, &format!("{BYE}?foo=bar")).await;
}

async fn asks_first(database: Database, hint: impl Fn(&Tokens) -> String) {
    let plan = Plan::start(database).await;
    let (mut browser, tokens) = logged_in(&plan).await;
    let hint = hint(&tokens);
    let mut query = vec![("post_logout_redirect_uri", BYE)];
    if !hint.is_empty() {
        query.push(("id_token_hint", hint.as_str()));
    }
    let question = browser.open("/oauth2/logout", &query).await;
    let done = confirm(&plan, &mut browser, &question).await;
    is_page(&done);
}

async fn oidcc_rp_initiated_logout_no_id_token_hint(database: Database) {
    asks_first(database, |_| String::new()).await;
}

async fn oidcc_rp_initiated_logout_bad_id_token_hint(database: Database) {
    asks_first(database, |tokens| format!("{}AAAA", tokens.id_token)).await;
}

async fn oidcc_rp_initiated_logout_modified_id_token_hint(database: Database) {
    asks_first(database, |tokens| {
        let claims = tokens.id_token.split('.').nth(1).unwrap();
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{claims}.")
    })
    .await;
}
