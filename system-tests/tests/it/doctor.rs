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
    what_others_could_read_or_misuse_is_warned_of
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

    // A fresh install: what the first start will do.
    env.remove("AUTH__TOKENS__ACCES_TTL");
    let (code, report) = doctor(folder.path(), &env);
    assert_eq!(code, 0, "{report}");
    assert!(says(&report, "database", "ok").contains("the first start creates"));
    assert!(says(&report, "master key", "ok").contains("master.key; back it up"));
    assert!(says(&report, "users", "ok").contains("initial-admin-password"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");

    let created = run("auth-service", &["audience", "create", "orders"], folder.path(), &env, "");
    assert!(created.status.success());
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
    let copied = "INSERT INTO audit (seq, at, action, outcome, actor, detail, mac) SELECT seq + 1, at, action, outcome, \
                  actor, detail, mac FROM audit ORDER BY seq DESC LIMIT 1";
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

async fn what_others_could_read_or_misuse_is_warned_of(database: Database) {
    let system = System::start(database).await;
    let folder = system.folder.path();
    let with = |settings: &[(&str, &str)]| {
        let mut env = system.auth_env.clone();
        env.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let (code, report) = doctor(folder, &env);
        assert_eq!(code, 0, "it starts all the same: {report}");
        report
    };
    let warned = |report: &Value, check: &str, of: &str| {
        let checks = report["checks"].as_array().unwrap();
        let found = |entry: &&Value| {
            entry["check"] == check
                && entry["outcome"] == "warn"
                && entry["message"].as_str().unwrap().contains(of)
        };
        checks.iter().any(|entry| found(&entry))
    };
    let report = with(&[]);
    assert!(warned(&report, "audience", "the sample"), "{report}");
    assert!(!warned(&report, "issuer", "") && !warned(&report, "tls", "") && !warned(&report, "files", ""));
    let report = with(&[("AUTH__SIMPLEJWT__AUDIENCE", "shop")]);
    assert!(!warned(&report, "audience", ""), "{report}");

    let report = with(&[("AUTH__ISSUER", "http://auth.example.com")]);
    assert!(warned(&report, "issuer", "not https"), "{report}");
    let (bind, issuer) = (system_tests::processes::free_address().to_string(), "http://127.0.0.1:1");
    let report = with(&[("AUTH__ISSUER", issuer), ("AUTH__HTTP__BIND", &bind)]);
    assert!(warned(&report, "issuer", "port 1"), "{report}");
    let port = bind.rsplit(':').next().unwrap();
    let report = with(&[("AUTH__HTTP__BIND", &format!("0.0.0.0:{port}")), ("AUTH__GRPC__BIND", "0.0.0.0:0")]);
    assert!(warned(&report, "tls", "http.bind 0.0.0.0") && warned(&report, "tls", "grpc.bind 0.0.0.0"));

    let url_file = folder.join("database-url");
    fs::write(&url_file, &system.auth_env["AUTH__DATABASE__URL"]).unwrap();
    fs::set_permissions(&url_file, fs::Permissions::from_mode(0o644)).unwrap();
    let report = with(&[("AUTH__DATABASE__URL_FILE", url_file.to_str().unwrap())]);
    assert!(warned(&report, "files", "database-url"), "{report}");

    let backups = folder.join("backups");
    fs::create_dir(&backups).unwrap();
    fs::set_permissions(&backups, fs::Permissions::from_mode(0o700)).unwrap();
    let set = [("AUTH__BACKUP__FOLDER", backups.to_str().unwrap())];
    assert!(warned(&with(&set), "backup", "holds none"));
    let made = system.cli(&["backup", backups.to_str().unwrap()]);
    assert!(says(&with(&set), "backup", "ok").contains("the newest"));
    let manifest = std::path::Path::new(made["folder"].as_str().unwrap()).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let created = made["manifest"]["created_at"].as_str().unwrap();
    fs::write(&manifest, text.replace(created, "2020-01-01T00:00:00Z")).unwrap();
    assert!(warned(&with(&set), "backup", "2020-01-01"));
}
