//! The device authorization grant, over HTTP. What the suite has no modules for is in-process (`use_cases/device.rs`).

use std::time::Duration;

use base64::Engine;
use signet_proto::auth::v1::login_service_client::LoginServiceClient;
use signet_proto::auth::v1::{
    AuthorizeDeviceRequest, EndBrowserSessionRequest, ListBrowserSessionsRequest, RedeemCodeRequest,
    RedeemDeviceCodeRequest,
};
use system_tests::channel::channel;
use system_tests::openid::{Client, Provider, UserAgent};
use system_tests::{Database, on_both_databases};
use tonic::metadata::{Ascii, MetadataValue};

on_both_databases! {
    device_authorization_grant
    codes_and_devices_over_grpc
    browser_sessions_over_grpc
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

/// An authorization request of a client that may do without PKCE.
fn request(client: &Client) -> [(&str, &str); 4] {
    [
        ("client_id", &client.id),
        ("redirect_uri", &client.redirect_uri),
        ("response_type", "code"),
        ("scope", "openid"),
    ]
}

fn basic(id: &str, secret: &str) -> MetadataValue<Ascii> {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
    format!("Basic {pair}").parse().unwrap()
}

/// The same use cases by the other transport.
async fn codes_and_devices_over_grpc(database: Database) {
    let provider = Provider::with(database, &[("AUTH__DEVICE__INTERVAL", "1s")]).await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let options = [
        "--pkce-optional",
        "--first-party",
        "--scope",
        "openid signet:browser-sessions",
        "--grant",
        "authorization_code",
        "--grant",
        "refresh_token",
    ];
    let web = provider.client("web", &options).await;
    let _ = provider.cli(&["client", "create", "cli", "--public", "--grant", grant, "--scope", "openid"]);
    let mut grpc = LoginServiceClient::new(channel(provider.service.grpc).await);

    let mut browser = UserAgent::new(&provider);
    let query = request(&web);
    let callback = browser.authorize(&query).await;
    let message = RedeemCodeRequest {
        code: callback.code().to_owned(),
        redirect_uri: web.redirect_uri.clone(),
        code_verifier: String::new(),
    };
    let mut wrong = tonic::Request::new(message.clone());
    wrong.metadata_mut().insert("authorization", basic("web", "wrong"));
    assert_eq!(grpc.redeem_code(wrong).await.unwrap_err().code(), tonic::Code::Unauthenticated);
    let secret = web.secret.clone().unwrap();
    let mut good = tonic::Request::new(message.clone());
    good.metadata_mut().insert("authorization", basic("web", &secret));
    let tokens = grpc.redeem_code(good).await.unwrap().into_inner();
    provider.check_id_token(&tokens.id_token, &web, None).await;
    assert!(!tokens.refresh_token.is_empty(), "first-party");
    let mut again = tonic::Request::new(message);
    again.metadata_mut().insert("authorization", basic("web", &secret));
    assert_eq!(grpc.redeem_code(again).await.unwrap_err().code(), tonic::Code::Unauthenticated);

    let mut asked = tonic::Request::new(AuthorizeDeviceRequest::default());
    asked.metadata_mut().insert("authorization", basic("cli", ""));
    let codes = grpc.authorize_device(asked).await.unwrap().into_inner();
    let poll = || {
        let mut poll =
            tonic::Request::new(RedeemDeviceCodeRequest { device_code: codes.device_code.clone() });
        poll.metadata_mut().insert("authorization", basic("cli", ""));
        poll
    };
    assert_eq!(grpc.redeem_device_code(poll()).await.unwrap_err().code(), tonic::Code::FailedPrecondition);
    let consent = browser.submit("/device", &[("user_code", &codes.user_code)]).await;
    let interaction = consent.field("interaction").unwrap();
    let decision = [("interaction", interaction.as_str()), ("decision", "allow")];
    assert_eq!(browser.submit("/login/consent", &decision).await.status, 200);
    tokio::time::sleep(Duration::from_secs(codes.interval)).await;
    let tokens = grpc.redeem_device_code(poll()).await.unwrap().into_inner();
    let cli = Client { id: "cli".to_owned(), secret: None, redirect_uri: String::new() };
    provider.check_id_token(&tokens.id_token, &cli, None).await;
}

/// A client and its secret.
type Credentials<'a> = (&'a str, &'a str);

async fn browser_sessions_over_grpc(database: Database) {
    let provider = Provider::start(database).await;
    let scope = "openid signet:browser-sessions";
    let web = provider.client("web", &["--pkce-optional", "--first-party", "--scope", scope]).await;
    let none = provider.client("none", &["--scope", "openid signet:watch"]).await;
    provider.client("public", &["--public", "--scope", scope]).await;
    let mut grpc = LoginServiceClient::new(channel(provider.service.grpc).await);
    let mut browser = UserAgent::new(&provider);
    let query = request(&web);
    let callback = browser.authorize(&query).await;
    let tokens = provider.redeem(&web, callback.code(), &[]).await.json();
    let claims = provider.check_id_token(tokens["id_token"].as_str().unwrap(), &web, None).await;
    let sub = claims["sub"].as_str().unwrap();
    let list = |(id, secret): Credentials<'_>| {
        let mut list = tonic::Request::new(ListBrowserSessionsRequest { user_id: sub.to_owned() });
        list.metadata_mut().insert("authorization", basic(id, secret));
        list
    };
    let end = |(id, secret): Credentials<'_>, user_id: &str, browser_session_id: &str| {
        let (user_id, browser_session_id) = (user_id.to_owned(), browser_session_id.to_owned());
        let mut end = tonic::Request::new(EndBrowserSessionRequest { user_id, browser_session_id });
        end.metadata_mut().insert("authorization", basic(id, secret));
        end
    };
    let allowed = ("web", web.secret.as_deref().unwrap());
    let found = grpc.list_browser_sessions(list(allowed)).await.unwrap().into_inner().browser_sessions;
    assert_eq!(found.len(), 1);
    assert!(found[0].auth_time > 1_700_000_000 && found[0].expires_at > found[0].auth_time, "{found:?}");
    let id = &found[0].id;
    for refused in [("none", none.secret.as_deref().unwrap()), ("public", "")] {
        let status = grpc.list_browser_sessions(list(refused)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::PermissionDenied, "{refused:?}");
        let status = grpc.end_browser_session(end(refused, sub, id)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::PermissionDenied, "{refused:?}");
    }
    let other = provider.cli(&["user", "create", "bob"])["id"].as_str().unwrap().to_owned();
    for (user_id, id, was_live) in
        [(other.as_str(), id.as_str(), false), (sub, "no id", false), (sub, id, true), (sub, id, false)]
    {
        let ended = grpc.end_browser_session(end(allowed, user_id, id)).await.unwrap().into_inner();
        assert_eq!(ended.was_live, was_live, "{user_id} {id}");
    }
    assert_eq!(browser.authorize(&query).await.pages, ["/login/password"]);
}
