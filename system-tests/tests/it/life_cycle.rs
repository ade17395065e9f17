//! Starting, stopping, starting again: nothing is lost.

use std::fs;
use std::path::Path;

use system_tests::database::execute;
use system_tests::drill::figure;
use system_tests::processes::{Service, run};
use system_tests::protocol::channel;
use system_tests::system::{PASSWORD, USER, auth_env, cli, resource_env};
use system_tests::{
    Database, Protocol, Refused, System, eventually, on_both_databases, over_both_protocols_on_both_databases,
};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

over_both_protocols_on_both_databases! {
    f17_everything_holds_over_a_restart_of_both_services
}

on_both_databases! {
    f27_a_resource_service_starts_while_the_authority_is_away
    f27_two_replicas_start_at_once_and_share_everything
    a_killed_authority_loses_no_acknowledged_revocation
    sigterm_ends_both_services_cleanly
    an_old_schema_is_refused_when_migration_is_switched_off
    the_first_start_makes_an_administrator_once
    the_first_administrator_has_the_password_of_a_file
    a_start_that_cannot_write_the_first_password_goes_on_without_an_administrator
    f24_this_version_runs_on_the_schema_of_the_next_one
    expired_sessions_go_by_themselves_and_their_tokens_stay_refused
}

async fn f17_everything_holds_over_a_restart_of_both_services(protocol: Protocol, database: Database) {
    let mut system = System::start(database).await;
    let kept = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    let ended = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    protocol.end(&system, &ended.refresh).await.unwrap();

    system.auth.signal(rustix::process::Signal::TERM);
    system.restart_auth().await;
    system.restart_resource().await;

    assert!(system.notes_accept(&kept.access).await);
    assert_eq!(protocol.refresh(&system, &ended.refresh).await, Err(Refused::Revoked));
    system.notes_come_to_refuse(&ended.access).await;
    let next = protocol.refresh(&system, &kept.refresh).await.unwrap();
    let retried = protocol.refresh(&system, &kept.refresh).await.unwrap();
    assert_eq!(next.refresh, retried.refresh);
    assert!(system.notes_accept(&next.access).await);
    figure("sessions, keys and revocations as before");
}

async fn f27_a_resource_service_starts_while_the_authority_is_away(database: Database) {
    let mut system = System::start(database).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let ended = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    Protocol::Http.end(&system, &ended.refresh).await.unwrap();
    system.notes_come_to_refuse(&ended.access).await;

    // Gone without a goodbye, and the port with it.
    system.auth.signal(rustix::process::Signal::KILL);
    eventually("the authority is gone", || async {
        system.http.get(system.auth_url("/healthz")).send().await.err().map(drop)
    })
    .await;
    system.restart_resource().await;
    assert!(system.notes_accept(&pair.access).await, "the saved keys verify");
    assert!(!system.notes_accept(&ended.access).await, "the saved revocations refuse");

    // Without a saved state it says that it is not ready, and refuses.
    let empty = tempfile::tempdir().unwrap();
    let mut env = system.resource_env.clone();
    env.insert("RESOURCE__DATA_DIR".to_owned(), format!("{}/new", empty.path().display()));
    let fresh = Service::start("resource-service", empty.path(), &env).await;
    let ready = system.http.get(format!("http://{}/readyz", fresh.http)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let notes = system.http.get(format!("http://{}/notes", fresh.http)).bearer_auth(&pair.access);
    assert_eq!(notes.send().await.unwrap().status(), 503);
    figure("the resource service first: ready from its saved state; without one not ready, 503");
}

async fn f27_two_replicas_start_at_once_and_share_everything(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[]);
    let second_folder = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(
        Service::start("auth-service", folder.path(), &env),
        Service::start("auth-service", second_folder.path(), &env),
    );
    let _ = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
    let http = reqwest::Client::new();
    let post = async |service: &Service, path: &str, form: &[(&str, &str)]| {
        let answer = http.post(format!("http://{}{path}", service.http)).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (status, pair) = post(&one, "/api/token/", &[("username", USER), ("password", PASSWORD)]).await;
    assert_eq!(status, 200);
    let refresh = pair["refresh"].as_str().unwrap();
    let (_, by_one) = post(&one, "/api/token/refresh/", &[("refresh", refresh)]).await;
    let (_, by_two) = post(&two, "/api/token/refresh/", &[("refresh", refresh)]).await;
    assert_eq!(by_one["refresh"], by_two["refresh"], "a retry at another replica gets the same successor");
    let (status, _) =
        post(&two, "/api/token/blacklist/", &[("refresh", by_one["refresh"].as_str().unwrap())]).await;
    assert_eq!(status, 200);
    eventually("what one takes back the other refuses", || async {
        let verify = [("token", by_one["access"].as_str().unwrap())];
        (post(&one, "/api/token/verify/", &verify).await.0 == 401).then_some(())
    })
    .await;
    let keys = cli(folder.path(), &env, &["key", "list"], "");
    let mut states: Vec<_> =
        keys.as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["active", "standby"], "however many replicas started: {keys}");
    assert_eq!(initial_passwords(&[folder.path(), second_folder.path()]).len(), 1, "one administrator");
    figure("two replicas at once on an empty database: one key that signs, one administrator");
}

async fn a_killed_authority_loses_no_acknowledged_revocation(database: Database) {
    let mut system = System::start(database).await;
    for _ in 0..5 {
        let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        let next = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
        Protocol::Http.end(&system, &next.refresh).await.unwrap();
        system.auth.signal(rustix::process::Signal::KILL);
        system.restart_auth().await;
        assert_eq!(Protocol::Http.refresh(&system, &next.refresh).await, Err(Refused::Revoked));
    }
}

async fn sigterm_ends_both_services_cleanly(database: Database) {
    let system = System::start(database).await;
    // Connections that are open and idle must not hold the end up.
    let _idle = system_tests::protocol::client(&system).await;
    let mut watcher = HealthClient::new(channel(system.auth.grpc).await);
    let request = HealthCheckRequest { service: "signet.auth.v1.TokenService".to_owned() };
    let mut watch = watcher.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1, "SERVING");
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    assert!(system.notes_accept(&pair.access).await);
    let System { auth, resource, .. } = system;
    auth.signal(rustix::process::Signal::TERM);
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2, "NOT_SERVING comes first");
    assert_eq!(resource.stop().await.code(), Some(0));
    let mut auth = auth;
    assert_eq!(auth.ended().await.code(), Some(0), "within the bound, though a watch is open");
}

async fn an_old_schema_is_refused_when_migration_is_switched_off(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[("AUTH__DATABASE__MIGRATE", "false")]);
    let refused = run("auth-service", &[], folder.path(), &env, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(!folder.path().join("signet.db").exists(), "no stray file");
    let migrated = cli(folder.path(), &env, &["migrate"], "");
    let kind = if database == Database::Sqlite { "sqlite" } else { "postgres" };
    let migrations =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../auth-service/migrations").join(kind);
    let all = std::fs::read_dir(migrations).unwrap().count();
    assert_eq!(migrated["applied"].as_array().unwrap().len(), all);
    let again = cli(folder.path(), &env, &["migrate"], "");
    assert_eq!(again["applied"].as_array().unwrap().len(), 0);
    let started = Service::start("auth-service", folder.path(), &env).await;
    let resource =
        Service::start("resource-service", folder.path(), &resource_env(&started, folder.path())).await;
    assert_eq!(resource.stop().await.code(), Some(0));
}

/// The passwords of first administrators that are in these folders.
fn initial_passwords(folders: &[&Path]) -> Vec<String> {
    let files = folders.iter().map(|folder| folder.join("initial-admin-password"));
    files.filter_map(|file| fs::read_to_string(file).ok()).map(|text| text.trim().to_owned()).collect()
}

async fn administrator_logs_in(authority: &Service, password: &str) -> bool {
    let form = [("username", "admin"), ("password", password)];
    let login = reqwest::Client::new().post(format!("http://{}/api/token/", authority.http)).form(&form);
    login.send().await.unwrap().status() == 200
}

async fn the_first_start_makes_an_administrator_once(database: Database) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[]);
    let first = Service::start("auth-service", folder.path(), &env).await;
    let [password] = &initial_passwords(&[folder.path()])[..] else { panic!("it is in a file") };
    let file = folder.path().join("initial-admin-password");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let out = fs::read_to_string(folder.path().join("auth-service.out")).unwrap();
    assert!(!first.log().contains(password.as_str()) && !out.contains(password.as_str()), "{out}");
    assert!(first.log().contains("initial-admin-password"), "the log names the file: {}", first.log());
    assert!(administrator_logs_in(&first, password).await);
    let report = run("auth-service", &["doctor"], folder.path(), &env, "");
    assert!(String::from_utf8_lossy(&report.stdout).contains("initial-admin-password"), "doctor warns");
    first.kill();
    fs::remove_file(&file).unwrap();
    let second = Service::start("auth-service", folder.path(), &env).await;
    assert!(!file.exists(), "only once");
    let _ = cli(folder.path(), &env, &["user", "delete", "admin", "--yes"], "");
    second.kill();
    let _third = Service::start("auth-service", folder.path(), &env).await;
    assert!(!file.exists(), "a database without users is not a new one");
}

async fn the_first_administrator_has_the_password_of_a_file(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("admin-password");
    let setting = [("AUTH__BOOTSTRAP__ADMIN_PASSWORD_FILE", file.to_str().unwrap())];
    let env = auth_env(database, folder.path(), &setting);
    let refused = |why: &str| {
        let output = run("auth-service", &[], folder.path(), &env, "");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains("admin-password"), "{why}: {text}");
    };
    refused("it does not exist");
    fs::write(&file, "short\n").unwrap();
    refused("others can read it");
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    refused("the password violates a rule");
    fs::write(&file, "a long and unusual passphrase\n").unwrap();
    let authority = Service::start("auth-service", folder.path(), &env).await;
    assert!(administrator_logs_in(&authority, "a long and unusual passphrase").await);
    assert!(!folder.path().join("initial-admin-password").exists());
}

async fn a_start_that_cannot_write_the_first_password_goes_on_without_an_administrator(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[]);
    // In the way of the file: root may write to any folder.
    fs::create_dir(folder.path().join("initial-admin-password")).unwrap();
    let authority = Service::start("auth-service", folder.path(), &env).await;
    assert!(authority.log().contains("no administrator was created"), "{}", authority.log());
    assert_eq!(cli(folder.path(), &env, &["user", "create", "admin"], "")["username"], "admin");
}

async fn expired_sessions_go_by_themselves_and_their_tokens_stay_refused(database: Database) {
    let settings = [
        ("AUTH__TOKENS__REFRESH_IDLE_TTL", "3s"),
        ("AUTH__SWEEP__INTERVAL", "1s"),
        ("AUTH__SWEEP__KEEP", "0s"),
    ];
    let system = System::with(database, &settings).await;
    let left = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let mut used = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let swept = "signet_swept_rows_total{table=\"sessions\"} 1\n";
    let given_up = std::time::Instant::now() + system_tests::PATIENCE;
    while !system.auth.metrics_text().await.contains(swept) {
        assert!(std::time::Instant::now() < given_up, "it is not swept");
        used = Protocol::Http.refresh(&system, &used.refresh).await.expect("a session in use is not swept");
    }
    assert_eq!(Protocol::Http.refresh(&system, &left.refresh).await, Err(Refused::Expired));
    Protocol::Http.refresh(&system, &used.refresh).await.expect("it lives on");
}

/// What the next version will have done to the schema: added, and taken nothing away.
async fn f24_this_version_runs_on_the_schema_of_the_next_one(database: Database) {
    let mut system = System::start(database).await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    for statement in [
        "ALTER TABLE users ADD COLUMN of_the_next_version TEXT",
        "ALTER TABLE sessions ADD COLUMN of_the_next_version BIGINT NOT NULL DEFAULT 0",
        "CREATE TABLE of_the_next_version (id TEXT PRIMARY KEY NOT NULL)",
        "INSERT INTO counters (name, value) VALUES ('of_the_next_version', 7)",
        "UPDATE counters SET value = value + 1 WHERE name = 'revocations'",
        "INSERT INTO revocations (seq, kind, id, expires_at) SELECT value, 'of_the_next_version', 'x', 9999999999999 FROM counters WHERE name = 'revocations'",
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('20990101000000')",
    ] {
        execute(&url, statement).unwrap();
    }
    // One that runs already, as beside the new one; and one that is started on it, as after going back.
    for _ in 0..2 {
        let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        let next = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
        assert!(system.notes_accept(&next.access).await);
        Protocol::Http.end(&system, &next.refresh).await.unwrap();
        system.notes_come_to_refuse(&next.access).await;
        system.auth.signal(rustix::process::Signal::TERM);
        system.restart_auth().await;
    }
    assert!(system.auth.log().contains("unknown kind"), "what it does not know is passed over, and named");
    let doctor = run("auth-service", &["doctor"], system.folder.path(), &system.auth_env, "");
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&doctor.stdout));
    let migrated = system.cli(&["migrate"]);
    assert_eq!(migrated["applied"].as_array().unwrap().len(), 0, "it takes nothing back");
    figure("on a schema of the next version: all as ever, before and after a restart");
}
