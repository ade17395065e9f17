//! Nobody learns from a login who has an account: unknown, wrong and disabled are alike in status, headers and body, and
//! each costs one hash. `scripts/bench --moving` says how far apart their times are.

use std::collections::BTreeMap;

use serde_json::json;
use system_tests::system::{PASSWORD, cli};
use system_tests::{Database, System, on_both_databases};

on_both_databases! {
    unknown_wrong_and_disabled_are_alike
}

/// Logins of each kind.
const ROUNDS: u64 = 5;

async fn unknown_wrong_and_disabled_are_alike(database: Database) {
    let none = ["PAIR", "ACCOUNT", "CLIENT_IP"].map(|limit| format!("AUTH__LIMITS__{limit}"));
    let settings: Vec<(&str, &str)> = none.iter().map(|name| (name.as_str(), "0")).collect();
    let system = System::with(database, &settings).await;
    for name in ["somebody", "disabled"] {
        let _ = cli(
            system.folder.path(),
            &system.auth_env,
            &["user", "create", name, "--password-stdin"],
            PASSWORD,
        );
    }
    let _ = system.cli(&["user", "disable", "disabled"]);
    let kinds = [("nobody", PASSWORD), ("somebody", "wrong"), ("disabled", PASSWORD), ("disabled", "wrong")];
    let mut answers = BTreeMap::new();
    for (name, password) in kinds {
        let before = hashed(&system).await;
        for _ in 0..ROUNDS {
            let request = system.http.post(system.auth_url("/api/token/"));
            let request = request.json(&json!({"username": name, "password": password}));
            let answer = request.send().await.unwrap();
            let mut headers: Vec<String> = answer
                .headers()
                .iter()
                .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            headers.sort();
            let seen = (answer.status().as_u16(), headers, answer.text().await.unwrap());
            *answers.entry(seen).or_insert(0) += 1;
        }
        assert_eq!(hashed(&system).await - before, ROUNDS, "one hash a login: {name}, {password}");
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// Passwords that were hashed so far.
async fn hashed(system: &System) -> u64 {
    let metrics = system.auth.metrics_text().await;
    let count =
        metrics.lines().find_map(|line| line.strip_prefix("signet_password_hash_wait_seconds_count "));
    count.unwrap_or_else(|| panic!("{metrics}")).trim().parse().unwrap()
}
