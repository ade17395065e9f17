//! The device authorization grant, over HTTP. What the suite has no modules for is in-process (`use_cases/device.rs`).

use std::time::Duration;

use system_tests::openid::{Client, Provider, UserAgent};
use system_tests::{Database, on_both_databases};

on_both_databases! {
    device_authorization_grant
}

async fn device_authorization_grant(database: Database) {
    let provider = Provider::with(database, &[("AUTH__DEVICE__INTERVAL", "1s")]).await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let options = ["client", "create", "tv", "--public", "--grant", grant, "--scope", "openid profile"];
    let _ = provider.cli(&options);
    let tv = Client { id: "tv".to_owned(), secret: None, redirect_uri: String::new() };
    let codes = system_tests::eventually("the client is known", || async {
        let answer = provider.post(&tv, "/oauth2/device_authorization", &[("scope", "openid profile")]).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert_eq!(codes.header("cache-control"), "no-store");
    let (device_code, user_code) = (codes.member("device_code"), codes.member("user_code"));
    let complete = codes.member("verification_uri_complete");
    assert_eq!(complete, format!("{}?user_code={user_code}", codes.member("verification_uri")));
    let form = [("grant_type", grant), ("device_code", device_code.as_str())];
    let pending = provider.token(&tv, &form).await;
    assert_eq!((pending.status, pending.member("error")), (400, "authorization_pending".to_owned()));

    let mut browser = UserAgent::new(&provider);
    let page = browser.open("/device", &[("user_code", &user_code)]).await;
    assert_eq!(page.field("user_code").as_deref(), Some(user_code.as_str()), "filled in, and not sent");
    let login = browser.submit("/device", &[("user_code", &user_code)]).await;
    let interaction = login.field("interaction").unwrap();
    let password = system_tests::system::PASSWORD;
    let form_of_login =
        [("interaction", interaction.as_str()), ("username", "alice"), ("password", password)];
    let consent = browser.submit("/login/password", &form_of_login).await;
    assert!(consent.text.contains(&user_code), "the user compares the code");
    let interaction = consent.field("interaction").unwrap();
    let decision = [("interaction", interaction.as_str()), ("decision", "allow")];
    assert_eq!(browser.submit("/login/consent", &decision).await.status, 200);
    // As long as the device has been told to wait between two questions.
    tokio::time::sleep(Duration::from_secs(codes.json()["interval"].as_u64().unwrap())).await;
    let tokens = provider.token(&tv, &form).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    let claims = provider.check_id_token(&tokens.member("id_token"), &tv, None).await;
    let userinfo = provider.userinfo(&tokens.member("access_token")).await.json();
    assert_eq!((&userinfo["sub"], &userinfo["name"]), (&claims["sub"], &"Alice Liddell".into()));
}
