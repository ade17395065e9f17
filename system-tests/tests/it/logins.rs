//! Logins in browsers, as operators, attackers and clients meet them.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use shared_claims::clock::unix_now;
use system_tests::database::{count, execute};
use system_tests::drill::{figure, scale};
use system_tests::listener::Listener;
use system_tests::openid::{CALLBACK, Client, Provider, UserAgent};
use system_tests::processes::Service;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, eventually_within, on_both_databases};

on_both_databases! {
    operators_see_and_end_logins
    users_see_and_end_their_own_logins
    f04_a_code_is_redeemed_once_however_many_try_on_two_replicas
    f39_strangers_leave_nothing
    what_is_malformed_is_answered_and_never_reflected
    f38_clients_learn_of_a_logout_also_those_that_were_away
    a_login_survives_a_restart_between_any_two_steps
    forms_of_other_sites_change_nothing
    a_client_that_hangs_keeps_no_other_from_being_told
}

/// A request of a client that may do without PKCE.
fn request(client: &Client) -> Vec<(&str, &str)> {
    vec![
        ("client_id", client.id.as_str()),
        ("redirect_uri", client.redirect_uri.as_str()),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
    ]
}

async fn tokens(provider: &Provider, client: &Client, browser: &mut UserAgent<'_>) -> Value {
    let callback = browser.authorize(&request(client)).await;
    provider.redeem(client, callback.code(), &[]).await.json()
}

async fn comes_to_refuse(provider: &Provider, tokens: &Value) {
    comes_to_refuse_at(provider, &provider.service, tokens).await;
}

async fn comes_to_refuse_at(provider: &Provider, replica: &Service, tokens: &Value) {
    let access_token = tokens["access_token"].as_str().unwrap();
    eventually_within(Duration::from_secs(1), "the access token is refused", || async {
        (provider.userinfo_at(replica, access_token).await.status == 401).then_some(())
    })
    .await;
}

async fn operators_see_and_end_logins(database: Database) {
    let provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let mut browser = UserAgent::new(&provider);
    let first = tokens(&provider, &client, &mut browser).await;
    let listed = provider.cli_list(&["browser-session", "list", "--user", USER]);
    assert_eq!(
        (listed[0]["username"].as_str(), listed[0]["amr"].to_string()),
        (Some(USER), r#"["pwd"]"#.to_owned())
    );
    let consents = provider.cli(&["consent", "list", "--client", "web"]);
    assert_eq!((&consents[0]["scope"], &consents[0]["client_id"]), (&"openid".into(), &"web".into()));
    let withdrawn = provider.cli(&["consent", "withdraw", "--user", USER, "--client", "web"]);
    assert_eq!(withdrawn["sessions_ended"], 1);
    comes_to_refuse(&provider, &first).await;
    assert_eq!(provider.cli(&["consent", "list"]), serde_json::json!([]));
    // The undo: the user allows it again. The browser session is still there.
    let again = browser.authorize(&request(&client)).await;
    assert_eq!(again.pages, ["/login/consent"]);
    let second = provider.redeem(&client, again.code(), &[]).await.json();
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(provider.cli(&["browser-session", "end", id])["sessions_ended"], 1);
    comes_to_refuse(&provider, &second).await;
    assert_eq!(provider.cli_list(&["browser-session", "list"]), serde_json::json!([]));
    assert_eq!(browser.authorize(&request(&client)).await.pages, ["/login/password"]);
}

async fn users_see_and_end_their_own_logins(database: Database) {
    let provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let mut browser = UserAgent::new(&provider);
    let issued = tokens(&provider, &client, &mut browser).await;
    let pair = provider
        .json("POST", "/api/token/", None, &serde_json::json!({"username": USER, "password": PASSWORD}))
        .await;
    let refresh = serde_json::json!({"refresh": pair.member("refresh")});
    let account = provider.json("POST", "/api/account/v1/token", None, &refresh).await.member("access");
    let at = |method: &'static str, path: String| {
        let (provider, account) = (&provider, account.clone());
        async move {
            provider.json(method, &format!("/api/account/v1/{path}"), Some(&account), &Value::Null).await
        }
    };
    let sessions = at("GET", "browser-sessions".to_owned()).await.json();
    let id = sessions["browser_sessions"][0]["id"].as_str().unwrap().to_owned();
    let consents = at("GET", "consents".to_owned()).await.json();
    assert_eq!(consents["consents"][0]["client_id"], "web");
    assert_eq!(at("DELETE", "consents/web".to_owned()).await.status, 204);
    assert_eq!(at("DELETE", "consents/web".to_owned()).await.status, 404);
    comes_to_refuse(&provider, &issued).await;
    assert_eq!(at("DELETE", format!("browser-sessions/{id}")).await.status, 204);
    assert_eq!(at("DELETE", format!("browser-sessions/{id}")).await.status, 404);
    assert_eq!(browser.authorize(&request(&client)).await.pages, ["/login/password", "/login/consent"]);
}

/// 1,000 codes and 50 at once at full scale.
async fn f04_a_code_is_redeemed_once_however_many_try_on_two_replicas(database: Database) {
    let (codes, at_once) = scale((12, 12), (1000, 50));
    let provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let other = Service::start("auth-service", provider.folder.path(), &provider.env).await;
    let mut browser = UserAgent::new(&provider);
    let mut winners = Vec::new();
    for _ in 0..codes {
        let callback = browser.authorize(&request(&client)).await;
        let code = callback.code();
        let tries = (0..at_once).map(|number| {
            let replica = if number % 2 == 0 { &provider.service } else { &other };
            provider.redeem_at(replica, &client, code)
        });
        let answers = at_once_all(tries).await;
        let good: Vec<&Value> =
            answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body).collect();
        assert_eq!(good.len(), 1, "{answers:?}");
        let refused = answers.iter().filter(|(status, _)| *status != 200);
        assert!(
            refused.clone().all(|(status, body)| *status == 400 && body["error"] == "invalid_grant"),
            "{answers:?}"
        );
        winners.push(good[0].clone());
    }
    for winner in &winners {
        comes_to_refuse(&provider, winner).await;
        comes_to_refuse_at(&provider, &other, winner).await;
    }
    figure(format!(
        "{codes} codes, {at_once} redemptions each: 1 success each, whose access token both refuse"
    ));
}

/// Answers to requests that are under way together.
async fn at_once_all<F: Future<Output = system_tests::openid::Reply>>(
    tries: impl Iterator<Item = F>,
) -> Vec<(u16, Value)> {
    let mut waiting: Vec<std::pin::Pin<Box<F>>> = tries.map(Box::pin).collect();
    let mut done: Vec<Option<(u16, Value)>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, slot) in waiting.iter_mut().zip(&mut done) {
            if slot.is_none()
                && let std::task::Poll::Ready(reply) = future.as_mut().poll(context)
            {
                *slot = Some((reply.status, reply.json()));
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// A million requests at full scale.
async fn f39_strangers_leave_nothing(database: Database) {
    let requests = scale(4000, 1_000_000);
    let settings = [("AUTH__LOG__LEVEL", "warn,auth_service::startup=info")];
    let provider = Provider::with(database, &settings).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let url = provider.env["AUTH__DATABASE__URL"].clone();
    let tables = [
        "sessions",
        "browser_sessions",
        "consents",
        "device_requests",
        "logout_notices",
        "login_failures",
        "audit",
    ];
    let rows = || tables.map(|table| count(&url, table));
    let ask = async |times: u32| {
        for _ in 0..times {
            let page = UserAgent::new(&provider).open("/oauth2/authorize", &request(&client)).await;
            assert_eq!(page.status, 200);
        }
    };
    ask(1000).await;
    let (before, memory) = (rows(), provider.service.resident_kib());
    ask(requests).await;
    assert_eq!(rows(), before);
    let grown = provider.service.resident_kib().saturating_sub(memory);
    assert!(grown < 8 * 1024, "{grown} KiB after {requests} requests");
    figure(format!("{requests} requests: no row, +{grown} KiB"));
}

async fn what_is_malformed_is_answered_and_never_reflected(database: Database) {
    let provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let names = [
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "resource",
        "audience",
        "prompt",
        "max_age",
        "acr_values",
        "login_hint",
        "id_token_hint",
        "ui_locales",
        "claims",
        "request",
        "request_uri",
        "registration",
        "display",
    ];
    let (long, marked) = ("x".repeat(8192), "\"><script>alert(1)</script>");
    for name in names {
        for values in [
            vec!["a", "b"],
            vec![],
            vec![""],
            vec![long.as_str()],
            vec![marked],
            vec!["\u{0}\r\nSet-Cookie: x=y"],
        ] {
            let mut query: Vec<(&str, &str)> = request(&client);
            query.retain(|(held, _)| *held != name);
            query.extend(values.iter().map(|value| (name, *value)));
            let reply = UserAgent::new(&provider).open("/oauth2/authorize", &query).await;
            assert!([200, 303, 400].contains(&reply.status), "{name} {values:?}: {}", reply.status);
            assert!(!reply.text.contains("<script>alert"), "{name}: {}", reply.text);
            assert!(reply.header("x-injected").is_empty() && !reply.header("set-cookie").contains("x=y"));
            let location = reply.header("location").to_owned();
            assert!(
                location.is_empty() || location.starts_with(&format!("{CALLBACK}?")),
                "{name}: {location}"
            );
            let recipient = ["client_id", "redirect_uri"].contains(&name);
            assert!(!recipient || location.is_empty(), "{name} {values:?} leads to {location}");
        }
    }
    for raw in ["%ff", "client_id=%zz", "state=%c3%28", "&&&=&", "?"] {
        let reply = provider.get(&format!("/oauth2/authorize?{raw}")).await;
        assert_eq!((reply.status, reply.header("location")), (400, ""), "{raw}");
    }
    for path in ["/login/password", "/login/factor", "/login/account", "/login/consent", "/device", "/logout"]
    {
        for body in [
            vec![],
            vec![("interaction", "x")],
            vec![("interaction", long.as_str())],
            vec![("user_code", marked)],
        ] {
            let reply = UserAgent::new(&provider).submit(path, &body).await;
            assert!([200, 400].contains(&reply.status), "{path}: {}", reply.status);
            assert!(!reply.text.contains("<script>alert"));
        }
    }
}

/// 100 clients of which 20 are away at full scale.
async fn f38_clients_learn_of_a_logout_also_those_that_were_away(database: Database) {
    let (all, away) = scale((10, 3), (100, 20));
    let mut provider = Provider::start(database).await;
    let mut listeners = Vec::new();
    let mut clients = Vec::new();
    for number in 0..all {
        let listener = Listener::start().await;
        let url = listener.url("/told");
        let id = format!("client-{number}");
        clients.push(
            provider
                .client(&id, &["--pkce-optional", "--first-party", "--backchannel-logout-uri", &url])
                .await,
        );
        listeners.push(listener);
    }
    let mut browser = UserAgent::new(&provider);
    let mut hint = String::new();
    for client in &clients {
        hint = tokens(&provider, client, &mut browser).await["id_token"].as_str().unwrap().to_owned();
    }
    let gone: Vec<String> = listeners.drain(..away).map(|listener| listener.address.to_string()).collect();
    let begun = Instant::now();
    browser.open("/oauth2/logout", &[("id_token_hint", &hint)]).await;
    let mut last = Duration::ZERO;
    for listener in &listeners {
        let told = listener.next(Duration::from_secs(2).saturating_sub(begun.elapsed())).await;
        last = last.max(told.at.duration_since(begun));
    }
    // The authority ends in the middle of it; nothing of what was left to say is lost.
    provider.service.signal(Signal::KILL);
    provider.service.ended().await;
    provider.service = Service::start("auth-service", provider.folder.path(), &provider.env).await;
    let mut back = Vec::new();
    for address in gone {
        back.push(Listener::on(&address).await);
    }
    let begun = Instant::now();
    let mut late = Duration::ZERO;
    for listener in &back {
        let told = listener.next(Duration::from_secs(5).saturating_sub(begun.elapsed())).await;
        late = late.max(told.at.duration_since(begun));
    }
    figure(format!(
        "{} of {all} told within {last:.0?}, {away} within {late:.1?} of their return",
        all - away
    ));
    // Some were told and not noted as told when the authority was killed: they are told once more.
    eventually_within(Duration::from_secs(12), "nothing is left to say", || async {
        (count(&provider.env["AUTH__DATABASE__URL"], "logout_notices") == 0).then_some(())
    })
    .await;
}

async fn a_login_survives_a_restart_between_any_two_steps(database: Database) {
    let mut provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let mut cookies;
    let login = {
        let mut browser = UserAgent::new(&provider);
        let page = browser.open("/oauth2/authorize", &request(&client)).await;
        cookies = browser.cookies;
        page
    };
    provider.restart().await;
    let interaction = login.field("interaction").unwrap();
    let consent = {
        let mut browser = UserAgent::with_cookies(&provider, cookies);
        let form = [("interaction", interaction.as_str()), ("username", USER), ("password", PASSWORD)];
        let page = browser.submit("/login/password", &form).await;
        cookies = browser.cookies;
        page
    };
    provider.restart().await;
    let code = {
        let mut browser = UserAgent::with_cookies(&provider, cookies);
        let callback = browser.go_through(consent).await;
        callback.code().to_owned()
    };
    provider.restart().await;
    assert_eq!(provider.redeem(&client, &code, &[]).await.status, 200);
}

/// Forms of other sites neither log anybody in nor out, and set no cookie in place of the user's own.
async fn forms_of_other_sites_change_nothing(database: Database) {
    let provider = Provider::start(database).await;
    let client = provider.client("web", &["--pkce-optional"]).await;
    let mut browser = UserAgent::new(&provider);
    tokens(&provider, &client, &mut browser).await;
    let page =
        browser.open("/oauth2/authorize", &[&request(&client)[..], &[("prompt", "login")]].concat()).await;
    let interaction = page.field("interaction").unwrap();
    let forms: [(&str, &[(&str, &str)]); 7] = [
        ("/login/password", &[("username", USER), ("password", PASSWORD)]),
        ("/login/factor", &[("code", "000000")]),
        ("/login/account", &[("account", "x")]),
        ("/login/consent", &[("decision", "allow")]),
        ("/logout", &[("decision", "logout")]),
        ("/device", &[("user_code", "BCDF-GHJK")]),
        ("/oauth2/logout", &[]),
    ];
    for (path, fields) in forms {
        let form = [&[("interaction", interaction.as_str())], fields].concat();
        let reply = browser.submit_from_elsewhere(path, &form).await;
        assert!(reply.headers.get("set-cookie").is_none(), "{path}: {:?}", reply.headers);
        assert!([400, 303].contains(&reply.status), "{path}: {}", reply.status);
    }
    assert_eq!(browser.authorize(&request(&client)).await.pages, Vec::<String>::new(), "logged in as before");
}

/// A client takes its connections and never answers; as many are told as it has room for, and nobody waits for it.
async fn a_client_that_hangs_keeps_no_other_from_being_told(database: Database) {
    let provider = Provider::start(database).await;
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/told", hanging.local_addr().unwrap());
    provider.client("hangs", &["--backchannel-logout-uri", &url]).await;
    let listener = Listener::start().await;
    let told = listener.url("/told");
    let client = provider.client("web", &["--pkce-optional", "--backchannel-logout-uri", &told]).await;
    let now = unix_now() * 1000;
    let values = (0..2000).map(|number| format!("('hangs', 'session-{number}', 'nobody', {now}, 0, 0)"));
    let columns = "client_id, browser_session_id, user_id, created_at, attempts, next_attempt_at";
    let insert =
        format!("INSERT INTO logout_notices ({columns}) VALUES {}", values.collect::<Vec<_>>().join(", "));
    execute(&provider.env["AUTH__DATABASE__URL"], &insert).unwrap();
    let mut browser = UserAgent::new(&provider);
    let issued = tokens(&provider, &client, &mut browser).await;
    let begun = Instant::now();
    browser.open("/oauth2/logout", &[("id_token_hint", issued["id_token"].as_str().unwrap())]).await;
    listener.next(Duration::from_secs(2).saturating_sub(begun.elapsed())).await;
}
