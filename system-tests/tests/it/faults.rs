//! The disk fills up; the primary of a PostgreSQL pair dies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signet_proto::auth::v1::ObtainPairRequest;
use system_tests::cluster::Cluster;
use system_tests::database::{integrity, open_sqlite};
use system_tests::drill::{figure, scale};
use system_tests::protocol::{as_gateway, client};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, eventually};
use tokio::task::JoinSet;
use tonic::Code;

/// A small disk of its own, gone with the test.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn of(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={mebibytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        assert!(
            mounted.unwrap().success(),
            "a file system is mounted by root only: run scripts/test as root"
        );
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room at all.
    fn fill(&self) -> PathBuf {
        use std::io::Write;
        let path = self.path().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[tokio::test]
async fn f07_a_full_disk_stops_writes_alone_and_is_over_without_a_restart() {
    let disk = SmallDisk::of(8);
    let url = format!("sqlite://{}/signet.db", disk.path().display());
    let system = System::with(Database::Sqlite, &[("AUTH__DATABASE__URL", &url)]).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let filler = disk.fill();

    // What the log of the database has room for still goes; what was acknowledged counts.
    let (held, acknowledged, refused) = refresh_until_refused(&system, pair.refresh.clone()).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "1");
    let machine = (GATEWAY, system.gateway_secret.as_str());
    Protocol::Http.client_token(&system, machine, ("", "")).await.expect("machine tokens go on");
    Protocol::Http.verify(&system, &pair.access).await.expect("and reads");
    assert!(system.notes_accept(&pair.access).await);
    let jwks = system.http.get(system.auth_url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(jwks.status(), 200);

    fs::remove_file(filler).unwrap();
    let freed = Instant::now();
    let next =
        eventually("there is room again", || async { Protocol::Http.refresh(&system, &held).await.ok() })
            .await;
    let took = freed.elapsed();
    Protocol::Http.obtain(&system, USER, PASSWORD).await.expect("logins too");
    assert_eq!(Protocol::Http.end(&system, &next.refresh).await, Ok(()));
    assert!(system.cli(&["audit", "verify"])["entries"].as_i64().unwrap() > 0);

    assert_eq!(integrity(Path::new(url.strip_prefix("sqlite://").unwrap())), "ok");
    figure(format!(
        "writes 503, reads 200; {acknowledged} acknowledged, 0 lost; works {took:.0?} after there is room"
    ));
}

/// Refreshes until the authority answers otherwise: the last token, how many were issued, and that answer.
async fn refresh_until_refused(system: &System, mut held: String) -> (String, u32, reqwest::Response) {
    for acknowledged in 0..20_000 {
        let request = system.http.post(system.auth_url("/api/token/refresh/"));
        let answer = request.json(&json!({"refresh": held})).send().await.unwrap();
        if answer.status() != 200 {
            return (held, acknowledged, answer);
        }
        let body: Value = answer.json().await.unwrap();
        body["refresh"].as_str().unwrap().clone_into(&mut held);
    }
    panic!("the disk is not full");
}

/// What nobody can count is not tried: neither the answer nor its number tells which guess was right. Over each protocol, by
/// a name that someone has and one that nobody has, and where a logged-in user proves the password again.
async fn no_guess_is_answered(system: &System, access: &str, guesses: usize) {
    let hashed = hashed_passwords(system).await;
    for number in 0..guesses {
        let (name, password) = match number % 3 {
            0 => (USER, PASSWORD),
            1 => (USER, "a guess"),
            _ => ("nobody", "a guess"),
        };
        let request = system.http.post(system.auth_url("/api/token/"));
        let answer = request.json(&json!({"username": name, "password": password})).send().await.unwrap();
        assert_eq!(answer.status(), 503, "guess {number}: {name} {password}");
        assert!(answer.headers().contains_key("retry-after"));
        let message =
            ObtainPairRequest { username: name.into(), password: password.into(), ..Default::default() };
        let refused = client(system).await.obtain_pair(as_gateway(system, message)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "guess {number}: {name} {password}");
        let body = json!({"current_password": password, "new_password": "another battery staple"});
        let url = system.auth_url("/api/account/v1/password");
        let again = system.http.put(url).bearer_auth(access).json(&body);
        assert_eq!(again.send().await.unwrap().status(), 503, "guess {number}: {password}");
    }
    assert_eq!(hashed_passwords(system).await, hashed, "no password was looked at");
}

/// With limits that count each attempt and refuse none of these.
const COUNTED: [(&str, &str); 3] =
    [("AUTH__LIMITS__PAIR", "1000"), ("AUTH__LIMITS__ACCOUNT", "1000"), ("AUTH__LIMITS__CLIENT_IP", "1000")];

async fn hashed_passwords(system: &System) -> String {
    let metrics = system.auth.metrics_text().await;
    let count = metrics.lines().find(|line| line.starts_with("signet_password_hash_wait_seconds_count"));
    count.expect("the series exists").to_owned()
}

#[tokio::test]
async fn guesses_on_a_full_disk_are_not_answered() {
    let disk = SmallDisk::of(8);
    let url = format!("sqlite://{}/signet.db", disk.path().display());
    let system =
        System::with(Database::Sqlite, &[&[("AUTH__DATABASE__URL", url.as_str())], &COUNTED[..]].concat())
            .await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let access = account_token(&system).await;
    let filler = disk.fill();
    refresh_until_refused(&system, pair.refresh).await;
    no_guess_is_answered(&system, &access, 15).await;
    fs::remove_file(filler).unwrap();
    eventually("there is room again", || async { Protocol::Http.obtain(&system, USER, PASSWORD).await.ok() })
        .await;
}

#[tokio::test]
async fn guesses_at_a_locked_file_are_not_answered() {
    use diesel::connection::SimpleConnection;
    let system = System::with(Database::Sqlite, &COUNTED).await;
    let access = account_token(&system).await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    let mut other = open_sqlite(url.strip_prefix("sqlite://").unwrap());
    other.batch_execute("BEGIN IMMEDIATE").unwrap();
    no_guess_is_answered(&system, &access, 3).await;
    other.batch_execute("ROLLBACK").unwrap();
    eventually("the lock is gone", || async { Protocol::Http.obtain(&system, USER, PASSWORD).await.ok() })
        .await;
}

#[tokio::test]
async fn guesses_at_a_server_that_takes_no_writes_are_not_answered() {
    let pair = tokio::task::spawn_blocking(Cluster::pair).await.unwrap();
    let system = System::with(
        Database::Postgres,
        &[&[("AUTH__DATABASE__URL", pair.url().as_str())], &COUNTED[..]].concat(),
    )
    .await;
    let access = account_token(&system).await;
    let pair = tokio::task::spawn_blocking(move || {
        pair.demote();
        pair
    })
    .await
    .unwrap();
    eventually("it is noticed", || async {
        let answer = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
        (answer.status() == 503).then_some(())
    })
    .await;
    no_guess_is_answered(&system, &access, 20).await;
    drop(pair);
}

/// An access token for the account API.
async fn account_token(system: &System) -> String {
    let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
    let request = system.http.post(system.auth_url("/api/account/v1/token"));
    let answer = request.json(&json!({"refresh": pair.refresh})).send().await.unwrap();
    answer.json::<Value>().await.unwrap()["access"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn f12_a_standby_takes_over_and_neither_sessions_nor_their_ends_are_lost() {
    let pair = tokio::task::spawn_blocking(Cluster::pair).await.unwrap();
    let url = pair.url();
    let system = System::with(Database::Postgres, &[("AUTH__DATABASE__URL", &url)]).await;
    let kept = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let ended = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let used = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let next = Protocol::Http.refresh(&system, &used.refresh).await.unwrap();
    let newest = Protocol::Http.refresh(&system, &next.refresh).await.unwrap();
    Protocol::Http.end(&system, &ended.refresh).await.unwrap();

    let (cut, pair) = tokio::task::spawn_blocking(move || {
        pair.cut(0);
        let cut = Instant::now();
        pair.promote();
        (cut, pair)
    })
    .await
    .unwrap();
    let machine = (GATEWAY, system.gateway_secret.as_str());
    Protocol::Http.client_token(&system, machine, ("", "")).await.expect("machine tokens need no database");
    eventually("it is ready again, without a restart", || async {
        let answer = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
        (answer.status() == 200).then_some(())
    })
    .await;
    eventually("the session goes on", || async {
        let request = system.http.post(system.auth_url("/api/token/refresh/"));
        let answer = request.json(&json!({"refresh": kept.refresh})).send().await.unwrap();
        assert!([200, 503].contains(&answer.status().as_u16()), "{}", answer.status());
        (answer.status() == 200).then_some(())
    })
    .await;
    let took = cut.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    // Each idle connection led to the server that died: none of them costs a caller a 503.
    let logins = (0..16).map(|_| {
        let request = system.http.post(system.auth_url("/api/token/"));
        request.json(&json!({"username": USER, "password": PASSWORD})).send()
    });
    for answer in logins.collect::<JoinSet<_>>().join_all().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(Protocol::Http.refresh(&system, &ended.refresh).await, Err(Refused::Revoked));
    // Used twice before the cut, and tried again after it.
    assert_eq!(Protocol::Http.refresh(&system, &used.refresh).await, Err(Refused::Revoked));
    assert_eq!(
        Protocol::Http.refresh(&system, &newest.refresh).await,
        Err(Refused::Revoked),
        "that was reuse"
    );
    system.notes_come_to_refuse(&newest.access).await;
    assert!(system.cli(&["audit", "verify"])["entries"].as_i64().unwrap() > 0);
    figure(format!("writes again {took:.1?} after the primary died; reuse from before is noticed"));
    drop(pair);
}

/// The old primary stays up and answers every question; only writes fail. In both orders of an operator's commands.
#[tokio::test]
async fn f12_a_server_that_stays_up_read_only_is_left_and_revocation_goes_on() {
    for promoted_first in [false, true] {
        let pair = tokio::task::spawn_blocking(Cluster::pair).await.unwrap();
        let system = System::with(Database::Postgres, &[("AUTH__DATABASE__URL", &pair.url())]).await;
        let logged_in = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
        assert!(system.notes_accept(&logged_in.access).await);
        let readiness = async || {
            let answer = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
            answer.status().as_u16()
        };
        let (promoted, pair) = if promoted_first {
            tokio::task::spawn_blocking(move || {
                pair.promote();
                pair.demote();
                (Instant::now(), pair)
            })
            .await
            .unwrap()
        } else {
            let pair = tokio::task::spawn_blocking(move || {
                pair.demote();
                pair
            })
            .await
            .unwrap();
            eventually("it is not ready while nobody takes writes", || async {
                (readiness().await == 503).then_some(())
            })
            .await;
            tokio::task::spawn_blocking(move || {
                pair.promote();
                (Instant::now(), pair)
            })
            .await
            .unwrap()
        };
        eventually("a logout is taken", || system.try_logout(&logged_in.refresh)).await;
        system.notes_come_to_refuse(&logged_in.access).await;
        let took = promoted.elapsed();
        assert!(took < scale(Duration::from_secs(5), Duration::from_secs(2)), "{took:?}");
        eventually("it is ready", || async { (readiness().await == 200).then_some(()) }).await;
        let order = if promoted_first { "promoted, then demoted" } else { "demoted, then promoted" };
        figure(format!("{order}: a logout is known to verifiers {took:.1?} later"));
        drop(pair);
    }
}
