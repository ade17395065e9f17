//! Clocks that are wrong: of verifiers, and of everybody at once.

use std::time::Duration;

use system_tests::drill::figure;
use system_tests::fake_clock::FakeClock;
use system_tests::processes::{Env, run};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, USER, auth_env};
use system_tests::{Database, Protocol, Refused, System, eventually, on_both_databases};

on_both_databases! {
    f14_in_2038_and_2100_tokens_are_issued_refreshed_and_verified
}

#[tokio::test]
async fn f13_a_verifier_keeps_to_its_leeway_whatever_its_clock_says_and_logs_why_it_refuses() {
    let mut system = System::with(Database::Sqlite, &[("AUTH__TOKENS__ACCESS_TTL", "60s")]).await;
    let clock = FakeClock::new(&system.folder.path().join("offset"));
    system.resource_env = clock.over(&system.resource_env);
    system.restart_resource().await;
    let ended = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    Protocol::Http.end(&system, &ended.refresh).await.unwrap();
    system.notes_come_to_refuse(&ended.access).await;

    let table = [
        ("+0", None),
        ("+20s", None),
        ("-20s", None),
        ("+90s", Some("expired")),
        ("-90s", Some("not valid yet")),
        ("+10m", Some("expired")),
        ("-10m", Some("not valid yet")),
        ("+0", None),
    ];
    let mut refused = 0;
    for (offset, reason) in table {
        clock.set(offset);
        let told = system.resource.log().len();
        // Fresh by the clock of the authority, which is right; and no result is kept from an earlier clock.
        let fresh = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        assert_eq!(system.notes_accept(&fresh.access).await, reason.is_none(), "{offset}");
        assert_eq!(system.notes_accept(&fresh.access).await, reason.is_none(), "{offset}, a second time");
        assert!(!system.notes_accept(&ended.access).await, "{offset}: what was taken back stays so");
        if let Some(reason) = reason {
            refused += 1;
            let log = system.resource.log();
            assert!(log[told..].contains(reason), "{offset}: the log says why: {}", &log[told..]);
        }
        // What it knows of the authority is timed by a clock that nobody sets.
        eventually(&format!("{offset}: it is not cut off"), || async {
            system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| !stale)
        })
        .await;
    }
    assert!(!system.resource.log().contains("panicked"));
    let metrics = system.resource.metrics_text().await;
    assert!(metrics.contains("code=\"401\""), "and the metrics count it: {metrics}");
    figure(format!(
        "verifier +-20 s: all accepted; +-90 s and +-10 min: {refused} of {refused} refused, by name in the log, as 401 \
         in the metrics; right again with the clock"
    ));
}

#[tokio::test]
async fn f14_a_clock_that_was_never_set_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::new(&folder.path().join("offset"));
    clock.set("@1970-01-02 00:00:00");
    let env = clock.over(&auth_env(Database::Sqlite, folder.path(), &[]));
    for arguments in [&[] as &[&str], &["key", "list"]] {
        let refused = run("auth-service", arguments, folder.path(), &env, "");
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("clock is not set"), "{stderr}");
    }
    assert!(!folder.path().join("signet.db").exists(), "nothing is left behind");
    assert!(!folder.path().join("master.key").exists());
    figure("1970: refused in one line, nothing left behind");
}

async fn f14_in_2038_and_2100_tokens_are_issued_refreshed_and_verified(database: Database) {
    // 2038-01-20 and 2100-03-01, behind the ends of what 31 and 32 bits count.
    for (date, instant) in [("2038", 2_147_558_400), ("2100", 4_107_542_400)] {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::new(&folder.path().join("offset"));
        clock.set_to(Duration::from_secs(instant));
        let mut system = System::within(&clock.over(&Env::new()), database, &[]).await;

        let first = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        let issued = unverified_claims(&first.access)["iat"].as_u64().unwrap();
        assert!((instant - 1..instant + 600).contains(&issued), "{date}: issued at {issued}");
        assert!(system.notes_accept(&first.access).await, "{date}");
        let next = Protocol::Http.refresh(&system, &first.refresh).await.unwrap();
        let again = Protocol::Http.refresh(&system, &first.refresh).await.unwrap();
        assert_eq!(next.refresh, again.refresh, "{date}: a retry gets the same successor");
        assert!(system.notes_accept(&next.access).await, "{date}");
        Protocol::Http.verify(&system, &next.access).await.unwrap();
        assert!(Protocol::Http.is_active(&system, &next.access).await, "{date}");
        let third = Protocol::Http.refresh(&system, &next.refresh).await.unwrap();
        assert_eq!(
            Protocol::Http.refresh(&system, &first.refresh).await,
            Err(Refused::Revoked),
            "{date}: reuse"
        );
        system.notes_come_to_refuse(&third.access).await;
        system.auth.signal(rustix::process::Signal::KILL);
        system.restart_auth().await;
        assert_eq!(Protocol::Http.refresh(&system, &third.refresh).await, Err(Refused::Revoked), "{date}");
        let verified = system.cli(&["audit", "verify"]);
        assert!(verified["entries"].as_i64().unwrap() > 0);
        for service in [&system.auth, &system.resource] {
            assert!(!service.log().contains("panicked"), "{date}");
        }
    }
    figure("2038-01-20 and 2100-03-01: issued, refreshed, verified, taken back, over a restart too");
}
