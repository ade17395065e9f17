//! Nobody learns from a login who has an account: unknown, wrong and disabled are alike in status, headers, body, and
//! time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::drill::figure;
use system_tests::system::{PASSWORD, cli};
use system_tests::{Database, System, on_both_databases};

on_both_databases! {
    unknown_wrong_and_disabled_are_alike
}

/// Logins of each kind, one kind after the other, so that whatever else the machine does hits all of them.
const ROUNDS: usize = 60;

/// What is asserted, with room for a machine that does other things; what was measured is told.
const MOST_APART: f64 = 0.25;

async fn unknown_wrong_and_disabled_are_alike(database: Database) {
    let none = ["PAIR", "ACCOUNT", "PEER"].map(|limit| format!("AUTH__LIMITS__{limit}"));
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
    let mut times = vec![Vec::new(); kinds.len()];
    for _ in 0..ROUNDS {
        for ((name, password), times) in kinds.iter().zip(&mut times) {
            let request = system.http.post(system.auth_url("/api/token/"));
            let request = request.json(&json!({"username": name, "password": password}));
            let asked = Instant::now();
            let answer = request.send().await.unwrap();
            times.push(asked.elapsed());
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
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    let apart = most.as_secs_f64() / least.as_secs_f64() - 1.0;
    figure(format!("{} logins of each kind: medians {medians:.2?}, {:.1} % apart", ROUNDS, apart * 100.0));
    assert!(apart < MOST_APART, "{medians:?}");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
