//! `backup` and `backup restore`, and a start that notices a restored database that nobody announced.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use system_tests::database::execute;
use system_tests::processes::{Env, run};
use system_tests::system::{PASSWORD, USER, auth_env};
use system_tests::{Database, Protocol, System, on_both_databases};

on_both_databases! {
    a_backup_is_written_while_it_runs_and_restored_and_undone
    a_restored_database_that_nobody_announced_ends_the_start
    a_command_that_only_reads_creates_nothing
}

fn backup(system: &System) -> PathBuf {
    let folder = system.folder.path().join("backups");
    PathBuf::from(system.cli(&["backup", folder.to_str().unwrap()])["folder"].as_str().unwrap())
}

fn fails(system: &System, arguments: &[&str]) -> String {
    let output = run("auth-service", arguments, system.folder.path(), &system.auth_env, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn users(system: &System) -> Vec<String> {
    let listed = system.cli_list(&["user", "list"]);
    listed.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn a_backup_is_written_while_it_runs_and_restored_and_undone(database: Database) {
    let mut system = System::start(database).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let head = system.cli(&["audit", "head"])["head"].clone();
    let made = backup(&system);
    let manifest: Value =
        serde_json::from_str(&fs::read_to_string(made.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["audit_head"], head);
    let mut files: Vec<String> = Vec::new();
    for entry in fs::read_dir(&made).unwrap() {
        let entry = entry.unwrap();
        files.push(entry.file_name().into_string().unwrap());
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{entry:?}");
    }
    files.sort();
    let copy = if database == Database::Sqlite { "signet.db" } else { "database.sql" };
    let mut expected = vec!["manifest.json", "master.key", copy];
    expected.sort_unstable();
    assert_eq!(files, expected, "nothing is left beside them");

    // The day that is lost.
    Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
    let _ = system.cli(&["user", "create", "late"]);
    let refused = fails(&system, &["backup", "restore", made.to_str().unwrap(), "--yes"]);
    assert!(refused.contains("stop every replica"), "{refused}");
    assert!(Protocol::Http.obtain(&system, USER, PASSWORD).await.is_ok(), "and it goes on");
    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    let restored = system.cli(&["backup", "restore", made.to_str().unwrap(), "--yes"]);
    assert!(restored["epoch"].as_u64().unwrap() > 0, "{restored}");
    assert!(!users(&system).await.contains(&"late".to_owned()));
    system.restart_auth().await;
    assert!(Protocol::Http.refresh(&system, &pair.refresh).await.is_ok(), "as of the backup");
    assert_eq!(
        system.cli(&["audit", "verify", "--head", head.as_str().unwrap()])["entries"].as_i64().map(|n| n > 1),
        Some(true)
    );

    // Undone: what was there was kept.
    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    let kept: Vec<&str> =
        restored["moved_aside"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(!kept.is_empty());
    for path in &kept {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{path}");
    }
    if database == Database::Sqlite {
        let url = system.auth_env["AUTH__DATABASE__URL"].clone();
        let path = url.strip_prefix("sqlite://").unwrap();
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{path}{suffix}"));
        }
        let before = kept.iter().find(|kept| kept.contains("signet.db.before-restore")).unwrap();
        fs::copy(before, path).unwrap();
        let _ = system.cli(&["restored"]);
        assert!(users(&system).await.contains(&"late".to_owned()));
    } else {
        assert!(fs::read_to_string(kept[0]).unwrap().contains("late"), "a dump of what was there");
    }

    // One that was damaged, or is another's, changes nothing.
    let copy = made.join(copy);
    let mut bytes = fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&copy, bytes).unwrap();
    let before = users(&system).await;
    let refused = fails(&system, &["backup", "restore", made.to_str().unwrap(), "--yes"]);
    assert!(refused.contains("SHA-256"), "{refused}");
    let refused = fails(&system, &["backup", "restore", "/nowhere", "--yes"]);
    assert!(refused.contains("/nowhere/manifest.json"), "{refused}");
    assert_eq!(users(&system).await, before);
    let asked = run(
        "auth-service",
        &["backup", "restore", made.to_str().unwrap()],
        system.folder.path(),
        &system.auth_env,
        "",
    );
    assert_eq!(asked.status.code(), Some(2), "it asks: {asked:?}");
}

async fn a_restored_database_that_nobody_announced_ends_the_start(database: Database) {
    let mut system = System::start(database).await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    // As a database of before the login.
    let triggers: &[&str] = match database {
        Database::Sqlite => &["DROP TRIGGER audit_is_not_deleted"],
        Database::Postgres => &["DROP TRIGGER audit_is_only_appended_to ON audit"],
    };
    triggers.iter().for_each(|drop| execute(&url, drop).unwrap());
    execute(&url, "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)").unwrap();
    execute(&url, "UPDATE counters SET value = value - 1 WHERE name = 'audit'").unwrap();

    let refused = run("auth-service", &["serve"], system.folder.path(), &system.auth_env, "");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("auth-service:")).collect();
    assert!(lines.len() == 1 && lines[0].contains("run `auth-service restored`"), "{said}");
    let _ = system.cli(&["restored"]);
    system.restart_auth().await;
    Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
}

fn content(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    // What SQLite has beside a file that is open is gone when it is closed.
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

async fn a_command_that_only_reads_creates_nothing(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let env: Env = auth_env(database, folder.path(), &[("AUTH__LOG__LEVEL", "info")]);
    let reading: [&[&str]; 14] = [
        &["user", "list"],
        &["user", "show", "alice"],
        &["client", "list"],
        &["client", "show", "web"],
        &["session", "list", "--all"],
        &["session", "show", "x"],
        &["audience", "list"],
        &["audience", "show", "notes"],
        &["key", "list"],
        &["audit", "list"],
        &["audit", "verify"],
        &["audit", "head"],
        &["audit", "export"],
        &["backup", "backups"],
    ];
    for arguments in reading {
        let output = run("auth-service", arguments, folder.path(), &env, "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        match database {
            Database::Sqlite => assert!(
                said.contains("there is no database here") && said.contains("database.url"),
                "{arguments:?}: {said}"
            ),
            Database::Postgres => assert!(said.contains("auth-service migrate"), "{arguments:?}: {said}"),
        }
        assert_eq!(content(folder.path()), Vec::<String>::new(), "{arguments:?}");
    }
    // With a database and without the key.
    let created = run("auth-service", &["migrate"], folder.path(), &env, "");
    assert!(created.status.success());
    let before = content(folder.path());
    let output = run("auth-service", &["key", "list"], folder.path(), &env, "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("there is no master key here") && said.contains("keys.master_key_file"), "{said}");
    assert_eq!(content(folder.path()), before);
}
