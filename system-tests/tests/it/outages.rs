//! The database goes away and comes back.

use std::time::{Duration, Instant};

use system_tests::database::{admin, name_of, open_sqlite};
use system_tests::drill::figure;
use system_tests::system::{GATEWAY, PASSWORD, USER, cli};
use system_tests::{Database, PATIENCE, Protocol, System, eventually};

use super::feeds::watch_keys;

#[tokio::test]
async fn f05_without_its_database_the_authority_goes_on_with_what_needs_none() {
    let system = System::start(Database::Postgres).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let database = name_of(&system.auth_env["AUTH__DATABASE__URL"]).to_owned();

    let (_say, mut keys) = watch_keys(&system).await;
    keys.message().await.unwrap().expect("the key set, while the database is seen");
    admin(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false"));
    admin(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"));
    eventually("it says that it is not ready", || async {
        let answer = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
        (answer.status() == 503).then_some(())
    })
    .await;

    let started = Instant::now();
    let form = [("username", USER), ("password", PASSWORD)];
    let login = system.http.post(system.auth_url("/api/token/")).form(&form).send().await.unwrap();
    assert_eq!(login.status(), 503);
    assert_eq!(login.headers()["retry-after"], "1");
    let refresh = [("refresh", pair.refresh.as_str())];
    let answer =
        system.http.post(system.auth_url("/api/token/refresh/")).form(&refresh).send().await.unwrap();
    assert_eq!(answer.status(), 503, "nothing was spent, nothing is claimed");
    let refused_in = started.elapsed() / 2;
    assert!(refused_in < Duration::from_secs(5), "no request hangs");

    let machine = (GATEWAY, system.gateway_secret.as_str());
    let token = Protocol::Http.client_token(&system, machine, ("", "")).await.expect("machine tokens go on");
    for path in ["/healthz", "/.well-known/jwks.json", "/.well-known/openid-configuration"] {
        assert_eq!(system.http.get(system.auth_url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    eventually("it no longer claims to know what was revoked", || async {
        let answer = system.http.get(system.auth_url("/revocations")).send().await.unwrap();
        (answer.status() == 503).then_some(())
    })
    .await;
    // Nor what is no longer a key: its feeds fall silent.
    let given_up = Instant::now() + PATIENCE;
    while tokio::time::timeout(Duration::from_millis(2500), keys.message()).await.is_ok() {
        assert!(Instant::now() < given_up, "it goes on to speak of keys");
    }
    eventually("and its verifiers say how old their knowledge is", || async {
        system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| *stale)
    })
    .await;
    assert!(system.notes_accept(&token).await && system.notes_accept(&pair.access).await);

    admin(&format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true"));
    let back = Instant::now();
    eventually("it is ready again, without a restart", || async {
        let answer = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
    let ready_in = back.elapsed();
    Protocol::Http.refresh(&system, &pair.refresh).await.expect("the token was not lost");
    figure(format!(
        "503 in {refused_in:.0?}; machine tokens, keys, verifiers go on; ready {ready_in:.0?} after it is back"
    ));
}

#[tokio::test]
async fn f11_a_write_lock_held_by_another_process_is_a_503_and_not_a_500() {
    use diesel::connection::SimpleConnection;
    let system = System::start(Database::Sqlite).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let path = system.folder.path().join("signet.db");
    let mut other = open_sqlite(path.to_str().unwrap());
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    // A command has more patience than a request: it is still waiting when that is told to come back.
    let (folder, env) = (system.folder.path().to_owned(), system.auth_env.clone());
    let command = move || cli(&folder, &env, &["user", "create", "late", "--password-stdin"], PASSWORD);
    let command = tokio::task::spawn_blocking(command);

    let refresh = [("refresh", pair.refresh.as_str())];
    let asked = Instant::now();
    let answer =
        system.http.post(system.auth_url("/api/token/refresh/")).form(&refresh).send().await.unwrap();
    let took = asked.elapsed();
    assert_eq!(answer.status(), 503);
    let verify = [("token", pair.access.as_str())];
    let answer = system.http.post(system.auth_url("/api/token/verify/")).form(&verify).send().await.unwrap();
    assert_eq!(answer.status(), 200, "reads go on");

    assert!(!command.is_finished(), "it has given up");
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(command.await.unwrap()["username"], "late");
    let answer =
        system.http.post(system.auth_url("/api/token/refresh/")).form(&refresh).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the token was not spent: {}", system.auth.log());
    figure(format!("503 after {took:.0?}; reads go on; nothing spent"));
}

#[tokio::test]
async fn postgres_over_tls_works_and_a_certificate_that_does_not_fit_ends_the_start() {
    use system_tests::processes::run;
    use system_tests::system::{auth_env, cli};
    let folder = tempfile::tempdir().unwrap();
    let mut env = auth_env(Database::Postgres, folder.path(), &[]);
    let ca = system_tests::database::setting("SIGNET_TEST_POSTGRES_CA")
        .expect("scripts/with-postgres names the certificate");
    let plain = env["AUTH__DATABASE__URL"].clone();
    env.insert("AUTH__DATABASE__URL".to_owned(), format!("{plain}?sslmode=verify-full&sslrootcert={ca}"));
    let _ = cli(folder.path(), &env, &["audience", "create", "x"], "");
    let keys = cli(folder.path(), &env, &["key", "list"], "");
    assert_eq!(keys.as_array().unwrap().len(), 2, "one signs, one stands by");
    env.insert(
        "AUTH__DATABASE__URL".to_owned(),
        format!("{plain}?sslmode=verify-full&sslrootcert=/etc/hostname"),
    );
    let refused = run("auth-service", &["key", "list"], folder.path(), &env, "");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(String::from_utf8(refused.stderr).unwrap().lines().count(), 1);
}
