//! A replica that is paused or cut off in the middle of a transaction holds up nobody's revocation.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use system_tests::database::{execute, name_of};
use system_tests::replicas::Replicas;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, eventually};

/// Makes anyone who writes to a table of one session wait in the middle of the transaction, long enough to be paused there.
pub fn slow_down(url: &str, table: &str, column: &str, session: &str) {
    let trigger = format!(
        "CREATE FUNCTION wait_a_moment() RETURNS trigger AS $$ BEGIN
             IF NEW.{column} = '{session}' THEN PERFORM pg_sleep(0.4); END IF; RETURN NEW;
         END $$ LANGUAGE plpgsql;
         CREATE TRIGGER wait_a_moment AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION wait_a_moment()"
    );
    execute(url, &trigger).unwrap();
}

fn sid(access: &str) -> String {
    system_tests::protocol::unverified_claims(access)["sid"].as_str().unwrap().to_owned()
}

/// Whether someone waits in the trigger now.
pub fn waits_in_trigger(url: &str) -> bool {
    use diesel::sql_types::BigInt;
    use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
    #[derive(QueryableByName)]
    struct Waiting {
        #[diesel(sql_type = BigInt)]
        waiting: i64,
    }
    let query = format!(
        "SELECT count(*) AS waiting FROM pg_stat_activity WHERE datname = '{}' AND wait_event = 'PgSleep'",
        name_of(url)
    );
    let mut cluster = PgConnection::establish(&system_tests::database::cluster_url()).unwrap();
    let found: Waiting = sql_query(query).get_result(&mut cluster).unwrap();
    found.waiting > 0
}

async fn a_paused_replica_keeps_nobody(table: &str, column: &str) {
    let replicas = Replicas::start(Database::Postgres, &[]).await;
    let url = replicas.env["AUTH__DATABASE__URL"].clone();
    let (access, refresh) = replicas.obtain(0, USER, PASSWORD).await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(replicas.obtain(1, USER, PASSWORD).await);
    }
    slow_down(&url, table, column, &sid(&access));
    let logout = replicas.http.post(replicas.url(0, "/api/token/blacklist/"));
    let logout = logout.json(&serde_json::json!({"refresh": refresh})).timeout(Duration::from_secs(60));
    let paused = tokio::spawn(logout.send());
    eventually("it is in the middle of its transaction", || async { waits_in_trigger(&url).then_some(()) })
        .await;
    replicas.services[0].signal(Signal::STOP);

    for (access, refresh) in &others {
        let begun = Instant::now();
        assert_eq!(replicas.blacklist(1, refresh).await, Some(200), "{table}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{table}: a logout took {:?}", begun.elapsed());
        assert!(!replicas.holds(1, access).await);
    }
    let ready = replicas.http.get(replicas.url(1, "/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 200, "{table}");

    // The one that was paused: its transaction was ended, nothing of it is there, and it can be done again.
    replicas.services[0].signal(Signal::CONT);
    let answered = paused.await.unwrap().unwrap();
    assert_eq!(answered.status(), 503, "{table}");
    eventually("it works again", || async { (replicas.blacklist(0, &refresh).await? == 200).then_some(()) })
        .await;
}

#[tokio::test]
async fn a_replica_that_is_paused_with_the_lock_of_the_revocations_keeps_nobody() {
    a_paused_replica_keeps_nobody("revocations", "id").await;
}

#[tokio::test]
async fn a_replica_that_is_paused_with_the_lock_of_the_audit_log_keeps_nobody() {
    a_paused_replica_keeps_nobody("audit", "session_id").await;
}

/// While another transaction holds the counters for longer than a server lets a replica, this replica says that it is
/// not ready, and is again afterwards.
#[tokio::test]
async fn a_replica_whose_writes_do_not_go_through_is_not_ready() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, PgConnection};
    let replicas = Replicas::start(Database::Postgres, &[]).await;
    let url = replicas.env["AUTH__DATABASE__URL"].clone();
    let ready = async |expected: u16| {
        eventually(&format!("/readyz answers {expected}"), || async {
            let answer = replicas.http.get(replicas.url(1, "/readyz")).send().await.ok()?;
            (answer.status() == expected).then_some(())
        })
        .await;
    };
    for counter in ["revocations", "audit"] {
        // Not a replica: an operator's own session, which no time-out ends.
        let mut outside = PgConnection::establish(&url).unwrap();
        outside
            .batch_execute(&format!("BEGIN; SELECT * FROM counters WHERE name = '{counter}' FOR UPDATE"))
            .unwrap();
        ready(503).await;
        outside.batch_execute("ROLLBACK").unwrap();
        ready(200).await;
    }
}
