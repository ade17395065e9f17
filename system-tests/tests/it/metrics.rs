//! What Prometheus is told.

use std::process::{Command, Stdio};

use system_tests::processes::{Env, run};
use system_tests::protocol::unverified_claims;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, eventually, on_both_databases};

on_both_databases! {
    what_was_done_is_counted_and_nothing_that_a_caller_chose_is_a_label
}

/// The value of a series, written as Prometheus writes it.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|number| number.parse().unwrap())
}

async fn what_was_done_is_counted_and_nothing_that_a_caller_chose_is_a_label(database: Database) {
    let system = System::start(database).await;
    let before = system.auth.metrics_text().await;
    for series in [
        "signet_logins_total{outcome=\"ok\"}",
        "signet_refreshes_total{outcome=\"reused\"}",
        "signet_tokens_issued_total{grant=\"client_credentials\"}",
        "signet_revocations_total{kind=\"session\"}",
        "signet_password_hash_shed_total",
        "signet_database_pool_exhausted_total",
    ] {
        assert_eq!(value(&before, series), Some(0.0), "{series} exists from the start: {before}");
    }

    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    assert_eq!(Protocol::Grpc.obtain(&system, "mallory", "guess").await, Err(Refused::Credentials));
    let next = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
    Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
    let last = Protocol::Http.refresh(&system, &next.refresh).await.unwrap();
    assert_eq!(Protocol::Http.refresh(&system, &pair.refresh).await, Err(Refused::Revoked), "that is reuse");
    let machine =
        Protocol::Http.client_token(&system, (GATEWAY, &system.gateway_secret), ("", "")).await.unwrap();
    for path in ["/api/alice", "/.well-known/../secret", "/metrics"] {
        let answer = system.http.get(system.auth_url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    let strange = reqwest::Method::from_bytes(b"BREW").unwrap();
    let answer = system.http.request(strange, system.auth_url("/oauth2/token")).send().await.unwrap();
    assert_eq!(answer.status(), 405);

    let metrics = eventually("the revocation is counted", || async {
        let metrics = system.auth.metrics_text().await;
        (value(&metrics, "signet_revocations_total{kind=\"session\"}") == Some(1.0)).then_some(metrics)
    })
    .await;
    for (series, expected) in [
        ("signet_logins_total{outcome=\"ok\"}", 1.0),
        ("signet_logins_total{outcome=\"refused\"}", 1.0),
        ("signet_refreshes_total{outcome=\"rotated\"}", 2.0),
        ("signet_refreshes_total{outcome=\"repeated\"}", 1.0),
        ("signet_refreshes_total{outcome=\"reused\"}", 1.0),
        ("signet_tokens_issued_total{grant=\"password\"}", 1.0),
        ("signet_tokens_issued_total{grant=\"refresh_token\"}", 3.0),
        ("signet_tokens_issued_total{grant=\"client_credentials\"}", 1.0),
        ("http_requests_total{route=\"/api/token/refresh/\",method=\"POST\",code=\"200\"}", 3.0),
        ("http_requests_total{route=\"/api/token/refresh/\",method=\"POST\",code=\"401\"}", 1.0),
        ("http_request_duration_seconds_count{route=\"/api/token/refresh/\",method=\"POST\"}", 4.0),
        ("http_requests_total{route=\"other\",method=\"GET\",code=\"404\"}", 3.0),
        ("http_requests_total{route=\"/oauth2/token\",method=\"other\",code=\"405\"}", 1.0),
        (
            "grpc_server_handled_total{grpc_service=\"signet.auth.v1.TokenService\",grpc_method=\"ObtainPair\",grpc_code=\"Unauthenticated\"}",
            1.0,
        ),
        ("signet_password_hash_wait_seconds_count", 2.0),
        ("signet_password_hash_waiting", 0.0),
        ("signet_feed_subscribers{feed=\"revocations\"}", 1.0),
        ("signet_feed_subscribers{feed=\"keys\"}", 1.0),
        ("signet_public_keys{algorithm=\"EdDSA\"}", 2.0),
        ("signet_ready", 1.0),
        ("signet_database_answers", 1.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}: {metrics}");
    }
    assert!(value(&metrics, "signet_signing_key_age_seconds{algorithm=\"EdDSA\"}").unwrap() > 0.0);
    for (series, least) in [
        ("process_resident_memory_bytes", 1e6),
        ("process_virtual_memory_bytes", 1e6),
        ("process_open_fds", 3.0),
        ("process_max_fds", 100.0),
        ("process_threads", 2.0),
        ("process_start_time_seconds", 1.7e9),
        ("process_cpu_seconds_total", 0.0),
    ] {
        assert!(value(&metrics, series).unwrap() >= least, "{series}: {metrics}");
    }
    names_its_build("auth-service", &metrics);
    let user = unverified_claims(&pair.access)["sub"].as_str().unwrap().to_owned();
    for secret in
        [USER, "mallory", "alice", "BREW", &user, &pair.refresh, &last.access, &machine, "127.0.0.1"]
    {
        assert!(!metrics.contains(secret), "{secret} is a label");
    }
    is_well_formed(&metrics);

    let resource = system.resource.metrics_text().await;
    assert_eq!(value(&resource, "signet_ready"), Some(1.0));
    assert!(value(&resource, "signet_authority_last_contact_seconds").unwrap() < 10.0, "{resource}");
    is_well_formed(&resource);
    names_its_build("resource-service", &resource);
}

/// `--version` and the metric name the same build.
fn names_its_build(program: &str, metrics: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(program, &["--version"], folder.path(), &Env::new(), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let commit = text.trim().strip_prefix(&format!("{program} {version} (commit "));
    let commit = commit.and_then(|rest| rest.strip_suffix(')')).expect(&text);
    let series = format!("signet_build_info{{version=\"{version}\",commit=\"{commit}\"}}");
    assert_eq!(value(metrics, &series), Some(1.0), "{metrics}");
}

/// As Prometheus's own tool reads it: names, units, help, nothing twice.
fn is_well_formed(metrics: &str) {
    use std::io::Write;
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("no promtool: apt-get install prometheus");
    tool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
async fn metrics_can_be_switched_off_and_a_taken_address_ends_the_start() {
    use system_tests::processes::Service;
    use system_tests::system::auth_env;
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[("AUTH__METRICS__BIND", "off")]);
    let quiet = Service::start("auth-service", folder.path(), &env).await;
    assert_eq!(quiet.metrics, None);
    let taken = quiet.http.to_string();
    let env = auth_env(Database::Sqlite, folder.path(), &[("AUTH__METRICS__BIND", &taken)]);
    let refused = run("auth-service", &[], folder.path(), &env, "");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("metrics.bind") && said.contains(&taken), "{said}");
}
