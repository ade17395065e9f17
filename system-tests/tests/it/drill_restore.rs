//! Yesterday's backup is restored.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use system_tests::database::{admin, execute, name_of};
use system_tests::drill::figure;
use system_tests::protocol::unverified_header;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, eventually, on_both_databases};

on_both_databases! {
    f18_after_a_backup_was_restored_verifiers_take_everything_again_and_replays_are_as_documented
}

/// What `pg_dump` and `psql` are told.
fn postgres(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("no PostgreSQL client");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// As `docs/operations.md` says, while the authority runs.
fn back_up(system: &System) {
    let url = &system.auth_env["AUTH__DATABASE__URL"];
    let copy = system.folder.path().join("backup");
    if url.starts_with("sqlite://") {
        execute(url, &format!("VACUUM INTO '{}'", copy.display())).unwrap();
    } else {
        postgres("pg_dump", &["--file", copy.to_str().unwrap(), url]);
    }
}

/// With nobody at the database.
fn restore(system: &System) {
    let url = &system.auth_env["AUTH__DATABASE__URL"];
    let copy = system.folder.path().join("backup");
    if let Some(path) = url.strip_prefix("sqlite://") {
        for of_the_old_one in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{path}{of_the_old_one}"));
        }
        fs::copy(copy, path).unwrap();
    } else {
        let name = name_of(url);
        admin(&format!("DROP DATABASE {name} WITH (FORCE)"));
        admin(&format!("CREATE DATABASE {name}"));
        postgres("psql", &["--quiet", "--set", "ON_ERROR_STOP=1", "--file", copy.to_str().unwrap(), url]);
    }
}

async fn f18_after_a_backup_was_restored_verifiers_take_everything_again_and_replays_are_as_documented(
    database: Database,
) {
    let mut system = System::start(database).await;
    let obtain = async |system: &System| Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
    let (used, ended, kept) = (obtain(&system).await, obtain(&system).await, obtain(&system).await);
    let ended_before = obtain(&system).await;
    Protocol::Http.end(&system, &ended_before.refresh).await.unwrap();
    system.notes_come_to_refuse(&ended_before.access).await;
    back_up(&system);

    // The day that will be lost.
    let next = Protocol::Http.refresh(&system, &used.refresh).await.unwrap();
    let newest = Protocol::Http.refresh(&system, &next.refresh).await.unwrap();
    Protocol::Http.end(&system, &ended.refresh).await.unwrap();
    system.notes_come_to_refuse(&ended.access).await;
    // Twice: the backup knows the standby key that the first one lets sign.
    let _ = system.cli(&["key", "rotate", "--now", "--wait", "10s"]);
    let rotated = system.cli(&["key", "rotate", "--now", "--wait", "10s"]);
    let lost = eventually("the new key signs", || async {
        let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        (unverified_header(&pair.access)["kid"] == rotated["kid"]).then_some(pair)
    })
    .await;
    assert!(system.notes_accept(&lost.access).await);

    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    restore(&system);
    let epoch = system.cli(&["restored"])["epoch"].as_u64().unwrap();
    assert!(epoch > 0);
    let pid = system.resource.pid();
    system.restart_auth().await;

    // The verifier was not restarted, and has come to know more than the backup does.
    eventually("the verifier takes the keys anew", || async {
        (system.notes_over_http(&lost.access).await == 401).then_some(())
    })
    .await;
    eventually("and the revocations", || async {
        (system.notes_over_http(&ended.access).await == 200).then_some(())
    })
    .await;
    assert!(!system.notes_accept(&ended_before.access).await, "what the backup knows of stays refused");
    let fresh = obtain(&system).await;
    assert!(system.notes_accept(&fresh.access).await);
    assert!(system.notes_accept(&kept.access).await);
    Protocol::Http.end(&system, &kept.refresh).await.unwrap();
    system.notes_come_to_refuse(&kept.access).await;

    // As docs/operations.md names them: what was used or ended since is good again, what was begun since is unknown.
    let replayed = Protocol::Http.refresh(&system, &used.refresh).await.expect("used since, and good again");
    let lives_again =
        Protocol::Http.refresh(&system, &ended.refresh).await.expect("ended since, and alive again");
    assert_eq!(Protocol::Http.refresh(&system, &lost.refresh).await, Err(Refused::InvalidToken));
    assert_eq!(Protocol::Http.refresh(&system, &ended_before.refresh).await, Err(Refused::Revoked));
    // The remedy that it names.
    let folder = system.folder.path();
    let changed = system_tests::processes::run(
        "auth-service",
        &["user", "passwd", USER, "--password-stdin"],
        folder,
        &system.auth_env,
        "another correct horse",
    );
    assert!(changed.status.success());
    for token in [&newest.refresh, &replayed.refresh, &lives_again.refresh, &fresh.refresh] {
        assert_eq!(Protocol::Http.refresh(&system, token).await, Err(Refused::Revoked));
    }
    for token in [&ended.access, &replayed.access, &lives_again.access] {
        system.notes_come_to_refuse(token).await;
    }
    assert_eq!(system.resource.pid(), pid);
    assert!(system.auth.log().lines().all(|line| !line.contains("panicked")));

    let log = system.cli_list(&["audit", "list"]);
    let restored: Vec<&str> = log
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["action"] == "backup.restored")
        .map(|entry| entry["detail"].as_str().unwrap())
        .collect();
    assert_eq!(restored, [format!("epoch {epoch}")], "{log}");
    let _ = system.cli(&["audit", "verify"]);
    figure(
        "verifiers take keys and revocations anew, without a restart; used and ended since: good again, until the \
         password is changed; begun since: refused; `backup.restored` in the audit log",
    );
}
