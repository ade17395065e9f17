//! Nothing secret is ever in a log line, at any level, in any format.

use system_tests::protocol::unverified_claims;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System, over_both_protocols_on_both_databases};

over_both_protocols_on_both_databases! {
    no_secret_is_in_the_log_of_a_full_run
}

async fn no_secret_is_in_the_log_of_a_full_run(protocol: Protocol, database: Database) {
    let settings =
        [("AUTH__LOG__LEVEL", "trace"), ("AUTH__LOG__FORMAT", "json"), ("AUTH__TOKENS__REFRESH_GRACE", "0s")];
    let system = System::with(database, &settings).await;
    let secret = system.gateway_secret.as_str();
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let next = protocol.refresh(&system, &pair.refresh).await.unwrap();
    let reused = protocol.refresh(&system, &pair.refresh).await;
    assert!(reused.is_err());
    let machine = protocol.client_token(&system, (GATEWAY, secret), ("", "")).await.unwrap();
    let _ = protocol.obtain(&system, USER, "a-wrong-password").await;
    let _ = protocol.client_token(&system, (GATEWAY, "a-wrong-secret"), ("", "")).await;
    let _ = protocol.verify(&system, "a.mangled.token").await;
    let _ = protocol.is_active(&system, &machine).await;
    let _ = system.notes_accept(&machine).await;
    let _ = system.notes_accept("another.mangled.token").await;
    let request = system.http.get(system.resource_url("/notes?access_token=in-the-query"));
    let _ = request.send().await;
    let master = std::fs::read_to_string(system.folder.path().join("master.key")).unwrap();

    let logs = format!("{}{}", system.auth.log(), system.resource.log());
    assert!(logs.contains("answered"), "there is a log");
    assert!(logs.lines().any(|line| line.contains("\"id\":\"")), "with request ids");
    let mut secrets = vec![
        PASSWORD,
        secret,
        &system.notes_secret,
        "a-wrong-password",
        "a-wrong-secret",
        "mangled",
        "in-the-query",
        master.trim(),
    ];
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh, &machine] {
        // The signature is what makes a token one; the payload would betray its claims.
        secrets.extend(token.split('.').skip(1));
    }
    for secret in secrets {
        assert!(!logs.contains(secret), "in the log: {secret}");
    }
    let jti = unverified_claims(&machine)["jti"].as_str().unwrap().to_owned();
    assert!(!jti.is_empty());
}
