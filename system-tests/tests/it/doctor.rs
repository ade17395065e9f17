//! `auth-service doctor` finds what is wrong, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use system_tests::database::execute;
use system_tests::processes::{Env, run};
use system_tests::system::auth_env;
use system_tests::{Database, System, on_both_databases};

on_both_databases! {
    a_healthy_authority_is_found_healthy_also_while_it_runs
    an_epoch_that_a_wrong_clock_has_made_is_named
    each_thing_that_is_wrong_is_named_with_what_to_do
}

/// Exit code, and what each check says.
fn doctor(folder: &std::path::Path, env: &Env) -> (i32, Value) {
    let output = run("auth-service", &["doctor", "--json"], folder, env, "");
    let stdout = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code().unwrap(),
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}")),
    )
}

fn says<'a>(report: &'a Value, check: &str, outcome: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    let of = |entry: &&Value| entry["check"] == check && entry["outcome"] == outcome;
    checks.iter().find(of).unwrap_or_else(|| panic!("{check} {outcome}: {report}"))["message"]
        .as_str()
        .unwrap()
}

async fn a_healthy_authority_is_found_healthy_also_while_it_runs(database: Database) {
    let system = System::start(database).await;
    let (code, report) = doctor(system.folder.path(), &system.auth_env);
    assert_eq!((code, &report["healthy"]), (0, &true.into()), "{report}");
    assert!(says(&report, "keys", "ok").contains("signs (EdDSA)"));
    assert!(says(&report, "http", "ok").contains("free"));
    let mut env = system.auth_env.clone();
    env.insert("AUTH__HTTP__BIND".to_owned(), system.auth.http.to_string());
    let (code, report) = doctor(system.folder.path(), &env);
    assert_eq!(code, 0, "{report}");
    assert!(says(&report, "http", "ok").contains("in use by an authority"));
}

async fn an_epoch_that_a_wrong_clock_has_made_is_named(database: Database) {
    let system = System::start(database).await;
    let url = &system.auth_env["AUTH__DATABASE__URL"];
    let far = (shared_claims::clock::unix_now() + 40 * 86_400) * 1000 + 60_000;
    execute(url, &format!("UPDATE counters SET value = {far} WHERE name = 'epoch'")).unwrap();
    let (_, report) = doctor(system.folder.path(), &system.auth_env);
    assert!(says(&report, "epoch", "warn").contains("40 days ahead"), "{report}");
}

async fn each_thing_that_is_wrong_is_named_with_what_to_do(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let mut env = auth_env(database, folder.path(), &[("AUTH__TOKENS__ACCES_TTL", "5m")]);
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1);
    assert!(says(&report, "settings", "FAIL").contains("did you mean \"tokens.access_ttl\"?"));
    match database {
        Database::Sqlite => assert!(says(&report, "database", "FAIL").contains("does not exist")),
        Database::Postgres => assert!(says(&report, "schema", "FAIL").contains("auth-service migrate")),
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");

    env.remove("AUTH__TOKENS__ACCES_TTL");
    let listed = run("auth-service", &["key", "list"], folder.path(), &env, "");
    assert!(listed.status.success());
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 0, "{report}");

    let master = folder.path().join("master.key");
    fs::set_permissions(&master, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1);
    assert!(says(&report, "master key", "FAIL").contains("chmod 600"));
    fs::set_permissions(&master, fs::Permissions::from_mode(0o600)).unwrap();

    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = busy.local_addr().unwrap().to_string();
    env.insert("AUTH__GRPC__BIND".to_owned(), taken.clone());
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1);
    assert!(says(&report, "grpc", "FAIL").contains(&taken));
    env.insert("AUTH__GRPC__BIND".to_owned(), "127.0.0.1:0".to_owned());

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.insert("AUTH__MAIL__URL".to_owned(), format!("smtp://{free}"));
    let old_key = folder.path().join("legacy.key");
    env.insert("AUTH__SIMPLEJWT__LEGACY_KEY_FILE".to_owned(), old_key.display().to_string());
    env.insert("AUTH__SIMPLEJWT__LEGACY_UNTIL".to_owned(), "2026-01-01T00:00:00Z".to_owned());
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1);
    let _ = says(&report, "mail", "FAIL");
    assert!(says(&report, "old key", "warn").contains("remove it"));
    env.retain(|name, _| !name.contains("MAIL") && !name.contains("LEGACY"));

    // Longer than its counter says: someone has put an entry behind the last one.
    let copied = "INSERT INTO audit SELECT seq + 1, at, action, outcome, actor, user_id, client_id, session_id, key_id, \
                  detail, mac FROM audit ORDER BY seq DESC LIMIT 1";
    execute(&env["AUTH__DATABASE__URL"], copied).unwrap();
    execute(&env["AUTH__DATABASE__URL"], "UPDATE counters SET value = value + 1 WHERE name = 'audit'")
        .unwrap();
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1, "{report}");
    assert!(says(&report, "audit log", "FAIL").contains("altered"));

    fs::remove_file(&master).unwrap();
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 1);
    assert!(says(&report, "master key", "FAIL").contains("restore it"));
    assert!(!master.exists(), "it makes none");
}
