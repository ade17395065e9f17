//! axe-core finds nothing on any page, in any language, and no page is wider than a small screen.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use system_tests::eventually;
use system_tests::openid::{Client, Provider, pkce};
use system_tests::system::{PASSWORD, USER};
use thirtyfour::Key;

use super::World;
use crate::accounts::app;
use crate::interop::root;

/// The script of axe-core.
fn axe() -> String {
    let folder =
        Command::new("scripts/node-modules").arg("system-tests/node").current_dir(root()).output().unwrap();
    let folder = String::from_utf8(folder.stdout).unwrap();
    let axe = root().join(folder.trim()).join("node_modules/axe-core/axe.min.js");
    fs::read_to_string(axe).expect("axe-core: scripts/node-modules system-tests/node")
}

#[tokio::test]
async fn every_page_is_accessible_in_every_language_and_on_a_small_screen() {
    let world = World::start(&[]).await;
    let axe = axe();
    world.browser.driver.set_window_rect(0, 0, 320, 640).await.unwrap();
    for locale in ["en", "de", "fr", "es"] {
        world.browser.driver.delete_all_cookies().await.unwrap();
        let check = async |page: &str| {
            let lang = world.browser.value("document.documentElement.lang").await;
            assert_eq!(lang, locale, "{page}");
            let wide = world.browser.value("document.documentElement.scrollWidth > window.innerWidth").await;
            assert_eq!(wide, false, "{page} in {locale} is wider than the screen");
            accessible(&world, &axe, &format!("{page} in {locale}")).await;
        };
        let locales = [("ui_locales", locale), ("prompt", "consent")];
        world.browser.open(&world.request(&locales)).await;
        check("login").await;
        world.browser.press(USER.to_owned() + Key::Tab).await;
        world.browser.press("wrong".to_owned() + Key::Enter).await;
        world.browser.appears(".problem").await;
        check("wrong password").await;
        world.browser.element("#password").await.send_keys(PASSWORD.to_owned() + Key::Enter).await.unwrap();
        world.browser.appears("button[value=allow]").await;
        check("consent").await;
        world.browser.open(&world.request(&[("ui_locales", locale), ("prompt", "select_account")])).await;
        world.browser.appears("button[name=account]").await;
        check("accounts").await;
        world.browser.open(&format!("{}/oauth2/logout?ui_locales={locale}", world.base)).await;
        check("logout").await;
        world.browser.click("button[value=logout]").await;
        eventually("the page after the logout", || async { (!world.has("form").await).then_some(()) }).await;
        check("logged out").await;
    }
    for path in
        ["/oauth2/authorize?client_id=nobody", "/login/consent", "/device", "/device?user_code=BCDF-GHJK"]
    {
        world.browser.open(&format!("{}{path}", world.base)).await;
        accessible(&world, &axe, path).await;
    }
}

async fn accessible(world: &World, axe: &str, page: &str) {
    world.browser.driver.execute(axe, Vec::new()).await.unwrap();
    let script =
        "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations.map(
        violation => violation.id + ': ' + violation.nodes.map(node => node.html).join(' '))));";
    let found: Value = world.browser.driver.execute_async(script, Vec::new()).await.unwrap().json().clone();
    assert_eq!(found, json!([]), "{page}");
}

/// The user has an authenticator app from now on: the secret that it was given.
async fn with_second_factor(provider: &Provider) -> String {
    let ask = async |path: &str, token: Option<&str>, body: Value| {
        let reply = provider.json("POST", path, token, &body).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        reply.json()
    };
    let pair = ask("/api/token/", None, json!({"username": USER, "password": PASSWORD})).await;
    let account = ask("/api/account/v1/token", None, json!({"refresh": pair["refresh"]})).await;
    let token = account["access"].as_str();
    let path = "/api/account/v1/second-factor";
    let new = ask(path, token, json!({"current_password": PASSWORD})).await;
    let uri = new["uri"].as_str().unwrap().to_owned();
    let otp = app(&uri).generate(unix_now() - 30).to_string();
    ask(&format!("{path}/confirm"), token, json!({"otp": otp})).await;
    uri
}

#[tokio::test]
async fn the_pages_behind_a_second_factor_are_accessible() {
    let world = World::start(&[]).await;
    let uri = with_second_factor(&world.provider).await;
    let axe = axe();
    // No browser follows it to an app that is not there: the page with the way on stays.
    let to_app = "com.example.app:/callback";
    let client = ["client", "create", "app", "--public", "--redirect-uri", to_app];
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let _ =
        world.provider.cli(&[&client[..], &["--grant", "authorization_code", "--grant", device]].concat());
    world.provider.knows("app").await;
    let public = Client { id: "app".to_owned(), secret: None, redirect_uri: to_app.to_owned() };
    let codes = world.provider.post(&public, "/oauth2/device_authorization", &[("scope", "openid")]).await;
    world.browser.open(&format!("{}/device?user_code={}", world.base, codes.member("user_code"))).await;
    world.browser.click("button[type=submit]").await;
    world.browser.appears("#username").await;
    world.log_in_by_keyboard().await;
    world.browser.appears("#code").await;
    accessible(&world, &axe, "second factor").await;
    world.browser.press("000000".to_owned() + Key::Enter).await;
    world.browser.appears(".problem").await;
    accessible(&world, &axe, "wrong one-time password").await;
    let otp = app(&uri).generate(unix_now()).to_string();
    world.browser.element("#code").await.send_keys(otp + Key::Enter).await.unwrap();
    world.browser.appears("button[value=allow]").await;
    accessible(&world, &axe, "consent for a device").await;
    world.browser.click("button[value=allow]").await;
    eventually("the page of the device", || async { (!world.has("form").await).then_some(()) }).await;
    accessible(&world, &axe, "connected device").await;
    let challenge = pkce().1;
    let request = world.request_of(
        "app",
        to_app,
        &[("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")],
    );
    world.browser.open(&request).await;
    world.browser.appears("button[value=allow]").await;
    world.browser.click("button[value=allow]").await;
    world.browser.appears("main a").await;
    accessible(&world, &axe, "the way on to an app").await;
}
