//! The master key is changed: nobody loses a session by it, and anyone who has the old one has nothing.

use rustix::process::Signal;
use system_tests::processes::run;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, on_both_databases};

on_both_databases! {
    a_changed_master_key_keeps_sessions_keys_and_the_audit_log
    a_leaked_master_key_opens_nothing_any_more
}

/// From here on the system uses the master key of this file.
fn use_file(system: &mut System, name: &str) {
    let path = system.folder.path().join(name).display().to_string();
    system.auth_env.insert("AUTH__KEYS__MASTER_KEY_FILE".to_owned(), path);
}

fn kids(system: &System) -> Vec<String> {
    let keys = system.cli(&["key", "list"]);
    keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn restart(system: &mut System) {
    system.auth.signal(Signal::TERM);
    system.restart_auth().await;
}

async fn a_changed_master_key_keeps_sessions_keys_and_the_audit_log(database: Database) {
    let mut system = System::start(database).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let keys_before = kids(&system);
    let length = system.cli(&["audit", "verify"])["entries"].as_u64().unwrap();
    for (file, number) in [("second.key", 1), ("third.key", 2)] {
        let changed = system.cli(&["master-key", "change", "--to", file]);
        assert_eq!(changed["leaked"], false);
        // The replica that runs goes on with what it has.
        let during = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
        assert!(system.notes_accept(&during.access).await);

        let refused = run("auth-service", &["key", "list"], system.folder.path(), &system.auth_env, "");
        assert_eq!(refused.status.code(), Some(1), "the old one opens nothing");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("was it changed") && said.lines().count() == 1, "{said}");
        use_file(&mut system, file);
        restart(&mut system).await;
        let after = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
        assert_eq!(after.refresh, during.refresh, "the identical successor, before and after");
        assert!(system.notes_accept(&after.access).await);
        assert_eq!(kids(&system), keys_before, "the keys are what they were");
        let log = system.cli_list(&["audit", "list", "--last", "20"]);
        let changes = log.as_array().unwrap().iter().filter(|entry| entry["action"] == "master_key.changed");
        assert_eq!(changes.count(), number);
    }
    assert!(system.cli(&["audit", "verify"])["entries"].as_u64().unwrap() > length, "the log holds");
    let doctor = run("auth-service", &["doctor"], system.folder.path(), &system.auth_env, "");
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));

    let code = |arguments: &[&str]| {
        run("auth-service", arguments, system.folder.path(), &system.auth_env, "").status.code()
    };
    assert_eq!(code(&["master-key", "change", "--to", "third.key"]), Some(2), "it is that one already");
    std::fs::write(system.folder.path().join("open.key"), "x").unwrap();
    assert_eq!(code(&["master-key", "change", "--to", "open.key"]), Some(1), "no key, and open to others");
    assert_eq!(code(&["master-key", "change", "--to", "no/such/folder.key"]), Some(1));
    let _ = system.cli(&["key", "list"]);
}

async fn a_leaked_master_key_opens_nothing_any_more(database: Database) {
    let mut system = System::start(database).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let _ = system.cli(&["master-key", "change", "--to", "second.key", "--leaked"]);
    let leaked = system.folder.path().join("master.key");
    use_file(&mut system, "second.key");
    restart(&mut system).await;
    assert_eq!(Protocol::Http.refresh(&system, &pair.refresh).await, Err(Refused::InvalidToken));
    let again = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    Protocol::Http.refresh(&system, &again.refresh).await.unwrap();
    assert!(system.notes_accept(&again.access).await, "the signing key was sealed anew, and signs");
    assert!(system.cli(&["audit", "verify"])["entries"].as_u64().unwrap() > 0);

    // Not even a database whose new secrets are taken away is opened by it.
    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    system_tests::database::execute(&url, "DELETE FROM secrets").unwrap();
    let mut env = system.auth_env.clone();
    env.insert("AUTH__KEYS__MASTER_KEY_FILE".to_owned(), leaked.display().to_string());
    let refused = run("auth-service", &["key", "list"], system.folder.path(), &env, "");
    assert_eq!(refused.status.code(), Some(1));
}
