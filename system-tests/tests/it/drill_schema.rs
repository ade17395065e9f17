//! The schema changes: a migration that is killed, several at once, yesterday's data, and the last version beside
//! this one.

use std::path::PathBuf;
use std::process::Command;

use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use rustix::process::Signal;
use serde_json::{Value, json};
use system_tests::database::open_sqlite;
use system_tests::drill::{figure, scale};
use system_tests::processes::{Env, Service, binary, free_address, run, run_command};
use system_tests::system::{PASSWORD, USER, auth_env, cli};
use system_tests::{Database, eventually, on_both_databases};

use super::draining::Callers;

on_both_databases! {
    f29_a_migration_that_is_killed_at_any_moment_is_finished_by_the_next_one
    f29_migrations_and_starts_at_once_make_the_schema_of_one
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// Tables, columns, indexes and constraints, and which migrations were applied.
fn schema(url: &str) -> Vec<String> {
    let rows: Vec<Line> = match url.strip_prefix("sqlite://") {
        Some(path) => {
            let query = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_master \
                         UNION ALL SELECT 'applied ' || version FROM __diesel_schema_migrations ORDER BY 1";
            sql_query(query).load(&mut open_sqlite(path)).unwrap()
        }
        None => {
            let query = "SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, \
                         column_default) AS line FROM information_schema.columns WHERE table_schema = 'public' \
                         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' \
                         UNION ALL SELECT concat_ws(' ', conrelid::regclass, pg_get_constraintdef(oid)) \
                         FROM pg_constraint WHERE connamespace = 'public'::regnamespace \
                         UNION ALL SELECT 'applied ' || version FROM __diesel_schema_migrations ORDER BY 1";
            sql_query(query).load(&mut PgConnection::establish(url).unwrap()).unwrap()
        }
    };
    rows.into_iter().map(|row| row.line).collect()
}

/// An empty database in a folder of its own, and the environment that names it.
fn empty(database: Database) -> (tempfile::TempDir, Env) {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[]);
    (folder, env)
}

fn migrated(database: Database) -> Vec<String> {
    let (folder, env) = empty(database);
    let _ = cli(folder.path(), &env, &["migrate"], "");
    schema(&env["AUTH__DATABASE__URL"])
}

async fn f29_a_migration_that_is_killed_at_any_moment_is_finished_by_the_next_one(database: Database) {
    let expected = migrated(database);
    // What a migration asks of the system, and is killed at: each write to the file, each word to the server.
    let kinds: &[&str] =
        if database == Database::Sqlite { &["pwrite64", "fsync,fdatasync"] } else { &["sendto"] };
    let (mut kills, mut half_way) = (0, 0);
    for kind in kinds {
        for moment in (1..).step_by(scale(23, 1)) {
            let (folder, env) = empty(database);
            let mut command = Command::new("strace");
            command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={kind}"), "-e"]);
            command.arg(format!("inject={kind}:signal=KILL:when={moment}"));
            command.arg(binary("auth-service")).arg("migrate");
            let ended = run_command(&mut command, folder.path(), &env, "");
            if ended.status.success() {
                break;
            }
            kills += 1;
            let url = &env["AUTH__DATABASE__URL"];
            let next = cli(folder.path(), &env, &["migrate"], "");
            half_way += usize::from(!next["applied"].as_array().unwrap().is_empty());
            assert_eq!(schema(url), expected, "{kind} {moment}");
            let again = cli(folder.path(), &env, &["migrate"], "");
            assert_eq!(again["applied"], json!([]), "{kind} {moment}");
        }
    }
    assert!(half_way > 0, "no kill came before the end");
    figure(format!("{kills} kills, {half_way} of them half-way: each time the schema of a fresh database"));
}

async fn f29_migrations_and_starts_at_once_make_the_schema_of_one(database: Database) {
    let expected = migrated(database);
    let rounds = scale(2, 20);
    for round in 0..rounds {
        let (folder, env) = empty(database);
        let commands: Vec<_> = (0..4)
            .map(|_| {
                let (folder, env) = (folder.path().to_owned(), env.clone());
                tokio::task::spawn_blocking(move || {
                    run("auth-service", &["migrate", "--json"], &folder, &env, "")
                })
            })
            .collect();
        let starts = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (one, two) = tokio::join!(
            Service::start("auth-service", starts[0].path(), &env),
            Service::start("auth-service", starts[1].path(), &env),
        );
        let mut applied = 0;
        for command in commands {
            let ended = command.await.unwrap();
            assert!(ended.status.success(), "round {round}: {}", String::from_utf8_lossy(&ended.stderr));
            let told: Value = serde_json::from_slice(&ended.stdout).unwrap();
            applied += usize::from(!told["applied"].as_array().unwrap().is_empty());
        }
        assert!(applied <= 1, "round {round}: {applied} commands say that they migrated");
        assert_eq!(schema(&env["AUTH__DATABASE__URL"]), expected, "round {round}");
        for service in [one, two] {
            assert_eq!(service.stop().await.code(), Some(0));
        }
    }
    figure(format!(
        "{rounds} rounds of 4 migrations and 2 starts at once: one migrated, the schema of a fresh database"
    ));
}

/// The tag of the version that this one takes over from, and the commit that it names.
const LAST_VERSION: [&str; 2] = ["v0.1.0", "62e425c"];

/// Builds the last version, once: its binary.
fn last_version() -> PathBuf {
    let repository = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let known = |name: &&str| {
        let mut git = Command::new("git");
        git.args(["-C", repository, "rev-parse", "-q", "--verify", &format!("{name}^{{commit}}")]);
        git.output().unwrap().status.success()
    };
    let version = LAST_VERSION.into_iter().find(known).expect("the repository holds the last version");
    // A folder of its own: cargo tells versions apart by the times of their files, and these are those of the commit.
    let target = binary("auth-service").ancestors().nth(2).unwrap().join("previous").join(version);
    let source = target.join("source");
    std::fs::create_dir_all(&source).unwrap();
    let script =
        format!("git -C '{repository}' archive {version} | tar --extract --directory '{}'", source.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "-p", "auth-service", "--bins"])
        .current_dir(&source)
        .env("CARGO_TARGET_DIR", &target)
        .status();
    assert!(built.unwrap().success(), "the last version does not build");
    target.join("debug/auth-service")
}

#[tokio::test]
#[ignore = "builds the last version: scripts/drill F24"]
async fn f24_the_last_version_and_this_one_serve_side_by_side_and_back_on_sqlite() {
    side_by_side(Database::Sqlite).await;
}

#[tokio::test]
#[ignore = "builds the last version: scripts/drill F24"]
async fn f24_the_last_version_and_this_one_serve_side_by_side_and_back_on_postgres() {
    side_by_side(Database::Postgres).await;
}

/// Each knows what the other has issued.
async fn serves(service: &Service, token: &str) {
    let http = reqwest::Client::new();
    let url = format!("http://{}/api/token/verify/", service.http);
    let answer = http.post(url).json(&json!({"token": token})).send().await.unwrap();
    assert_eq!(answer.status(), 200, "each knows what the other has issued");
}

async fn side_by_side(database: Database) {
    let old = tokio::task::spawn_blocking(last_version).await.unwrap();
    let (folder, mut env) = empty(database);
    env.insert("AUTH__LOG__LEVEL".to_owned(), "warn,auth_service::startup=info".to_owned());
    let mut create = Command::new(&old);
    create.args(["user", "create", USER, "--password-stdin"]);
    let created = run_command(&mut create, folder.path(), &env, PASSWORD);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    // Each has a port of its own, also when it comes back.
    let free = [(); 4].map(|()| free_address());
    let at = |http: usize| {
        let mut env = env.clone();
        for (name, place) in [("AUTH__HTTP__BIND", http), ("AUTH__GRPC__BIND", http + 1)] {
            env.insert(name.to_owned(), free[place].to_string());
        }
        env
    };
    let (mut old_env, new_env) = (at(0), at(2));
    // It has no metrics: what it answers stands in its log, and the new one says nothing in the same file.
    old_env.insert("AUTH__LOG__LEVEL".to_owned(), "info".to_owned());
    let old_env = old_env;
    let answered_by = |old: &Service| old.log().matches("/api/token/refresh/").count();
    let addresses = [0, 2].map(|place: usize| free[place]);
    let start_old = async || {
        let started = Service::try_start(&old, &[], folder.path(), &old_env).await;
        started.unwrap_or_else(|(status, said)| panic!("the last version: {status}: {said}"))
    };
    let before = start_old().await;
    let http = reqwest::Client::new();
    let (mut tokens, mut access) = (Vec::new(), String::new());
    for _ in 0..9 {
        let body = json!({"username": USER, "password": PASSWORD});
        let answer =
            http.post(format!("http://{}/api/token/", before.http)).json(&body).send().await.unwrap();
        let body: Value = answer.json().await.unwrap();
        body["access"].as_str().unwrap().clone_into(&mut access);
        tokens.push(body["refresh"].as_str().unwrap().to_owned());
    }
    let idle = tokens.pop().unwrap();
    let backends = [("127.0.0.1:8080", addresses[0]), ("127.0.0.1:8082", addresses[1])];
    let mut callers = Callers::begin(&backends, tokens).await;
    callers.go_on("at the last version").await;

    let new = Service::start("auth-service", folder.path(), &new_env).await;
    serves(&new, &access).await;
    eventually("the new one takes traffic", || async {
        new.metrics_text().await.contains("route=\"/api/token/refresh/\"").then_some(())
    })
    .await;
    callers.go_on("at both").await;
    let mut before = before;
    before.signal(Signal::TERM);
    assert_eq!(before.ended().await.code(), Some(0));
    callers.go_on("at the new version").await;

    // And back, on the schema of the new one.
    let back = start_old().await;
    let before = answered_by(&back);
    serves(&back, &access).await;
    callers.go_on("at both again").await;
    let answer = http.post(format!("http://{}/api/token/refresh/", back.http));
    let answer = answer.json(&json!({"refresh": idle})).send().await.unwrap();
    assert_eq!(answer.status(), 200, "a session of before, at the last version");
    // One of them was ours.
    eventually("the old one takes traffic", || async { (answered_by(&back) > before + 1).then_some(()) })
        .await;
    callers.go_on("before the new one goes").await;
    assert_eq!(new.stop().await.code(), Some(0));
    callers.go_on("at the last version again").await;

    let answered = callers.end().await;
    assert_eq!(back.stop().await.code(), Some(0));
    let _ = cli(folder.path(), &env, &["audit", "verify"], "");
    figure(format!(
        "{database:?}: {} to this one and back behind nginx: {answered} refreshes, 0 failed",
        LAST_VERSION[0]
    ));
}
