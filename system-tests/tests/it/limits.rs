//! Who guesses passwords is stopped, by whichever path and replica he comes, and nobody else is.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signet_proto::auth::v1::ObtainPairRequest;
use system_tests::protocol::{as_gateway, client};
use system_tests::replicas::Replicas;
use system_tests::system::{PASSWORD, USER, cli};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};
use tonic::{Code, Status};
use tonic_types::StatusExt;

on_both_databases! {
    guesses_count_over_both_protocol_and_stop_before_any_password_is_looked_at
    guesses_count_over_replicas_and_are_forgotten_in_time
    only_a_listed_proxy_says_where_a_guess_comes_from
    one_account_is_one_count_in_every_spelling_and_by_every_path
    nobody_who_guesses_from_everywhere_keeps_the_owner_out
}

async fn over_http(system: &System, username: &str, password: &str, from: Option<&str>) -> reqwest::Response {
    let mut request = system.http.post(system.auth_url("/api/token/"));
    if let Some(address) = from {
        request = request.header("X-Forwarded-For", address);
    }
    request.json(&json!({"username": username, "password": password})).send().await.unwrap()
}

async fn over_grpc(system: &System, password: &str) -> Result<(), Status> {
    let message = ObtainPairRequest {
        username: USER.to_owned(),
        password: password.to_owned(),
        ..ObtainPairRequest::default()
    };
    client(system).await.obtain_pair(as_gateway(system, message)).await.map(drop)
}

async fn guesses_count_over_both_protocol_and_stop_before_any_password_is_looked_at(database: Database) {
    let settings = [("AUTH__LIMITS__PAIR", "4"), ("AUTH__LIMITS__WINDOW", "10m")];
    let system = System::with(database, &settings).await;
    let _ =
        cli(system.folder.path(), &system.auth_env, &["user", "create", "bob", "--password-stdin"], PASSWORD);
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    for _ in 0..2 {
        assert_eq!(over_http(&system, USER, "a guess", None).await.status(), 401);
        assert_eq!(over_grpc(&system, "a guess").await.unwrap_err().code(), Code::Unauthenticated);
    }
    // From now on the right one is refused like any other: nothing is learnt by going on.
    for password in [PASSWORD, "a guess"] {
        let begun = Instant::now();
        let refused = over_http(&system, USER, password, None).await;
        assert_eq!(refused.status(), 429);
        let seconds: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((140..=150).contains(&seconds), "a fourth of the window: {seconds}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(
            body["detail"],
            format!("Request was throttled. Expected available in {seconds} seconds.")
        );
        assert!(begun.elapsed() < Duration::from_secs(5));

        let status = over_grpc(&system, password).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!((140..=150).contains(&retry.as_secs()), "{retry:?}");
    }
    // Spelled with space around it, it is the same account.
    assert_eq!(over_http(&system, " alice ", PASSWORD, None).await.status(), 429);
    assert_eq!(over_http(&system, "bob", PASSWORD, None).await.status(), 200, "others go on");
    Protocol::Http.refresh(&system, &pair.refresh).await.expect("and so does a session that there was");

    // A name that nobody has is stopped alike.
    for _ in 0..4 {
        assert_eq!(over_http(&system, "nobody", "x", None).await.status(), 401);
    }
    assert_eq!(over_http(&system, "nobody", "x", None).await.status(), 429);
    let metrics = system.auth.metrics_text().await;
    assert!(metrics.contains("signet_logins_total{outcome=\"limited\"} 6\n"), "{metrics}");
    // Six refusals, two entries: one for each name that was tried, not one for each try.
    let log = system.cli_list(&["audit", "list", "--last", "40"]);
    let is_limited = |entry: &&Value| entry["outcome"] == "refused: too many logins have failed";
    let limited: Vec<&Value> = log.as_array().unwrap().iter().filter(is_limited).collect();
    assert_eq!(limited.len(), 2, "{limited:?}");
    assert!(limited.iter().all(|entry| entry["action"] == "login"), "{limited:?}");
    let more = "4 more refused for too many attempts before this one";
    assert_eq!(limited[1]["detail"], more, "{limited:?}");
}

async fn guesses_count_over_replicas_and_are_forgotten_in_time(database: Database) {
    let settings = [("AUTH__LIMITS__CLIENT_IP", "4"), ("AUTH__LIMITS__WINDOW", "8s")];
    let replicas = Replicas::start(database, &settings).await;
    let log_in = async |replica: usize, username: &str, password: &str| {
        let body = json!({"username": username, "password": password});
        let request = replicas.http.post(replicas.url(replica, "/api/token/")).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    for number in 0..4 {
        assert_eq!(log_in(number, &format!("somebody-{number}"), "a guess").await, 401);
    }
    assert_eq!(log_in(0, USER, PASSWORD).await, 429, "many names from one peer");
    assert_eq!(log_in(1, USER, PASSWORD).await, 429);
    eventually("it is forgotten", || async { (log_in(1, USER, PASSWORD).await == 200).then_some(()) }).await;
}

async fn one_account_is_one_count_in_every_spelling_and_by_every_path(database: Database) {
    let settings = [("AUTH__LIMITS__PAIR", "5"), ("AUTH__LIMITS__WINDOW", "10m")];
    let system = System::with(database, &settings).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let refresh = json!({"refresh": pair.refresh});
    let opened =
        system.http.post(system.auth_url("/api/account/v1/token")).json(&refresh).send().await.unwrap();
    let account = opened.json::<serde_json::Value>().await.unwrap()["access"].as_str().unwrap().to_owned();
    for spelling in ["alice", "ALICE", "\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45}"] {
        assert_eq!(over_http(&system, spelling, "a guess", None).await.status(), 401, "{spelling}");
    }
    assert_eq!(over_grpc(&system, "a guess").await.unwrap_err().code(), Code::Unauthenticated);
    let change = async || {
        let body = json!({"current_password": "a guess", "new_password": "another horse battery"});
        let url = system.auth_url("/api/account/v1/password");
        system.http.put(url).bearer_auth(&account).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(change().await, 403);
    for spelling in ["alice", "Alice", "\u{ff21}LICE"] {
        assert_eq!(over_http(&system, spelling, PASSWORD, None).await.status(), 429, "{spelling}");
    }
    assert_eq!(over_grpc(&system, PASSWORD).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(change().await, 429);
}

async fn nobody_who_guesses_from_everywhere_keeps_the_owner_out(database: Database) {
    let settings = [
        ("AUTH__LIMITS__ACCOUNT", "6"),
        ("AUTH__LIMITS__WINDOW", "10m"),
        ("AUTH__TRUSTED_PROXIES", "127.0.0.0/8"),
    ];
    let system = System::with(database, &settings).await;
    let home = Some("192.0.2.77");
    assert_eq!(over_http(&system, USER, PASSWORD, home).await.status(), 200);
    for number in 0..8 {
        let from = format!("198.51.100.{number}");
        let status = over_http(&system, USER, "a guess", Some(&from)).await.status();
        assert_eq!(status, if number < 6 { 401 } else { 429 });
    }
    assert_eq!(
        over_http(&system, USER, PASSWORD, Some("203.0.113.5")).await.status(),
        429,
        "a stranger's network"
    );
    assert_eq!(
        over_http(&system, USER, PASSWORD, home).await.status(),
        200,
        "where she has logged in before"
    );
}

async fn only_a_listed_proxy_says_where_a_guess_comes_from(database: Database) {
    let (one, other) = (Some("192.0.2.1"), Some("192.0.2.2"));
    let believing = [("AUTH__LIMITS__PAIR", "2"), ("AUTH__TRUSTED_PROXIES", "127.0.0.0/8")];
    let system = System::with(database, &believing).await;
    for _ in 0..2 {
        assert_eq!(over_http(&system, USER, "a guess", one).await.status(), 401);
    }
    assert_eq!(over_http(&system, USER, PASSWORD, one).await.status(), 429);
    assert_eq!(
        over_http(&system, USER, PASSWORD, Some("198.51.100.1, 192.0.2.1")).await.status(),
        429,
        "what he adds"
    );
    assert_eq!(
        over_http(&system, USER, PASSWORD, other).await.status(),
        200,
        "the owner comes from elsewhere"
    );

    let system = System::with(database, &[("AUTH__LIMITS__PAIR", "2")]).await;
    for _ in 0..2 {
        assert_eq!(over_http(&system, USER, "a guess", one).await.status(), 401);
    }
    assert_eq!(over_http(&system, USER, PASSWORD, other).await.status(), 429, "anybody can write a header");
}
