//! The disk lies: writes that fail, and a database file that is not what was written.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::json;
use system_tests::database::{execute, integrity};
use system_tests::dice::Dice;
use system_tests::drill::{figure, scale};
use system_tests::eventually;
use system_tests::lone::{Lone, post};
use system_tests::processes::{Env, Service, binary};
use system_tests::protocol::unverified_claims;
use system_tests::trace::Trace;
use tempfile::TempDir;

/// Each n-th call of a kind fails, in a run of its own, while one session is refreshed and others are ended.
#[tokio::test]
async fn f08_a_write_that_failed_is_not_acknowledged_and_what_was_acknowledged_is_there() {
    let mut bench = Lone::start().await;
    let (_, mut held) = bench.obtain().await;
    let session = unverified_claims(&held)["sid"].as_str().unwrap().to_owned();
    let (mut failed, mut refused, mut acknowledged, mut ended) = (0, 0, 0, Vec::new());
    let calls = scale(vec![1, 2, 3, 5, 9], (1..=200).collect());
    for (kind, n) in
        ["fsync,fdatasync", "pwrite64"].iter().flat_map(|kind| calls.iter().map(move |n| (kind, n)))
    {
        let inject = format!("inject={kind}:error=EIO:when={n}");
        let trace = Trace::of(
            bench.service.pid(),
            bench.folder.path(),
            &["-e", "trace=fsync,fdatasync,pwrite64", "-e", &inject],
        )
        .await;
        loop {
            let before = trace.seen().len();
            let (status, body) = bench.refresh(&held).await;
            let seen = trace.seen()[before..].to_owned();
            let hit: Vec<&str> = seen.lines().filter(|line| line.contains("(INJECTED)")).collect();
            // What fails in the main file fails after the commit: it is in the log, and durable.
            let in_log = hit.iter().any(|line| line.contains("signet.db-wal"));
            match status {
                200 => {
                    assert!(!in_log, "{kind} {n}: acknowledged though {hit:?}");
                    body["refresh"].as_str().unwrap().clone_into(&mut held);
                    acknowledged += 1;
                }
                503 => {
                    assert!(!hit.is_empty(), "{kind} {n}: refused though nothing failed: {seen}");
                    refused += 1;
                }
                other => panic!("{kind} {n}: {other}: {body}"),
            }
            if !hit.is_empty() {
                failed += 1;
                break;
            }
        }
        drop(trace);
        // Nothing was spent by a refusal, and no restart is needed.
        let (status, body) = bench.refresh(&held).await;
        assert_eq!(status, 200, "{kind} {n}: {body}");
        body["refresh"].as_str().unwrap().clone_into(&mut held);
        if n % 5 == 0 {
            let (access, refresh) = bench.obtain().await;
            assert_eq!(bench.post("/api/token/blacklist/", json!({"refresh": refresh})).await.0, 200);
            ended.push((access, refresh));
        }
    }
    // Refused, and yet there: the client's next try found it done. Never the other way round.
    let generation = unverified_claims(&held)["gen"].as_i64().unwrap();
    bench.restart(Signal::KILL).await;
    assert_eq!(integrity(&bench.database()), "ok");
    let (status, body) = bench.refresh(&held).await;
    assert_eq!(status, 200, "generation {generation} of {session} was acknowledged: {body}");
    for (access, refresh) in &ended {
        assert_eq!(bench.refresh(refresh).await.0, 401);
        assert_eq!(bench.post("/api/token/verify/", json!({"token": access})).await.0, 401);
    }
    assert!(!bench.service.log().contains("panicked"));
    figure(format!(
        "{failed} failing calls: {refused} answers 503, no 200 for what was not durable; of {acknowledged} rotations and {} \
         ends that were acknowledged 0 lost; never corrupt",
        ended.len()
    ));
}

/// What is done to the files, by a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Damage {
    Header,
    Pages,
    ZeroPage,
    CutShort,
    LogGone,
    LogEmpty,
    LogCutShort,
}

const PAGE: usize = 4096;

impl Damage {
    const OF_THE_FILE: [Self; 4] = [Self::Header, Self::Pages, Self::ZeroPage, Self::CutShort];
    const OF_THE_LOG: [Self; 3] = [Self::LogGone, Self::LogEmpty, Self::LogCutShort];

    fn befall(self, database: &Path, dice: &mut Dice) {
        let log = PathBuf::from(format!("{}-wal", database.display()));
        let mut bytes = fs::read(database).unwrap();
        let pages = bytes.len() / PAGE;
        let mut overwrite =
            |page: usize, with: &[u8]| bytes[page * PAGE..][..with.len()].copy_from_slice(with);
        match self {
            Self::Header => overwrite(0, &dice.bytes(100)),
            Self::Pages => {
                for _ in 0..=dice.below(3) {
                    overwrite(1 + dice.below(pages - 1), &dice.bytes(PAGE));
                }
            }
            Self::ZeroPage => overwrite(1 + dice.below(pages - 1), &[0; PAGE]),
            Self::CutShort => bytes.truncate(dice.below(pages * PAGE)),
            Self::LogGone => fs::remove_file(log).unwrap(),
            Self::LogEmpty => fs::write(log, []).unwrap(),
            Self::LogCutShort => {
                let mut held = fs::read(&log).unwrap();
                held.truncate(dice.below(held.len()));
                fs::write(log, held).unwrap();
            }
        }
        fs::write(database, bytes).unwrap();
    }
}

/// A session that lives and one that was ended; the end is still in the log of the database alone.
struct Left {
    folder: TempDir,
    env: Env,
    alive: String,
    ended: (String, String),
}

async fn leave_a_database() -> Left {
    let mut bench = Lone::start().await;
    for _ in 0..60 {
        bench.obtain().await;
    }
    let ended = bench.obtain().await;
    let (_, alive) = bench.obtain().await;
    bench.service.signal(Signal::TERM);
    bench.service.ended().await;
    let url = bench.env["AUTH__DATABASE__URL"].clone();
    execute(&url, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    bench.service = Service::start("auth-service", bench.folder.path(), &bench.env).await;
    assert_eq!(bench.post("/api/token/blacklist/", json!({"refresh": ended.1})).await.0, 200);
    let (status, body) = bench.refresh(&alive).await;
    assert_eq!(status, 200);
    let alive = body["refresh"].as_str().unwrap().to_owned();
    bench.service.signal(Signal::KILL);
    bench.service.ended().await;
    let Lone { folder, env, .. } = bench;
    Left { folder, env, alive, ended }
}

/// A copy of what was left, damaged.
fn damaged(left: &Left, damage: Damage, seed: u64) -> (TempDir, Env) {
    let folder = tempfile::tempdir().unwrap();
    for name in ["signet.db", "signet.db-wal", "signet.db-shm", "master.key"] {
        fs::copy(left.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    let mut env = left.env.clone();
    let database = folder.path().join("signet.db");
    let url = format!("sqlite://{}", database.display());
    env.insert("AUTH__KEYS__MASTER_KEY_FILE".to_owned(), format!("{}/master.key", folder.path().display()));
    if Damage::OF_THE_FILE.contains(&damage) {
        // All of it in the one file: nothing in a log repairs it.
        execute(&url, "PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    }
    env.insert("AUTH__DATABASE__URL".to_owned(), url);
    damage.befall(&database, &mut Dice::of(seed));
    (folder, env)
}

#[tokio::test]
async fn f16_a_database_file_that_was_damaged_never_brings_an_ended_session_back() {
    let left = leave_a_database().await;
    let http = reqwest::Client::new();
    let mut tally: HashMap<&str, usize> = HashMap::new();
    let seeds: Vec<u64> = scale((1..=3).collect(), (1..=40).collect());
    for damage in Damage::OF_THE_FILE.into_iter().chain(Damage::OF_THE_LOG) {
        for &seed in &seeds {
            let case = format!("{damage:?}, seed {seed}");
            let (folder, env) = damaged(&left, damage, seed);
            let started = Service::try_start(&binary("auth-service"), &[], folder.path(), &env).await;
            let service = match started {
                Err((status, said)) => {
                    assert_eq!(status.code(), Some(1), "{case}: {said}");
                    assert_eq!(said.lines().count(), 1, "{case}: in one line: {said}");
                    *tally.entry("refused to start").or_default() += 1;
                    continue;
                }
                Ok(service) => service,
            };
            for (path, body) in [
                ("/api/token/refresh/", json!({"refresh": left.ended.1})),
                ("/api/token/verify/", json!({"token": left.ended.1})),
                ("/api/token/verify/", json!({"token": left.ended.0})),
            ] {
                let (status, answer) = post(&http, &service, path, body).await;
                assert!([401, 503].contains(&status), "{case}: an ended session: {path}: {status}: {answer}");
            }
            let alive = post(&http, &service, "/api/token/refresh/", json!({"refresh": left.alive})).await;
            let outcome = match alive.0 {
                200 => "untouched by it",
                503 => "answered 503",
                401 => "refused",
                other => panic!("{case}: {other}: {}", alive.1),
            };
            *tally.entry(outcome).or_default() += 1;
            assert!(!service.log().contains("panicked"), "{case}: {}", service.log());
        }
    }
    let mut told: Vec<String> = tally.iter().map(|(what, times)| format!("{times} {what}")).collect();
    told.sort_unstable();
    figure(format!("{} kinds x {} seeds: {}; 0 wrong answers", 7, seeds.len(), told.join(", ")));
}

#[tokio::test]
async fn copies_that_nobody_damaged_start_and_answer_as_they_should() {
    // The yardstick of the test above.
    let left = leave_a_database().await;
    let folder = tempfile::tempdir().unwrap();
    for name in ["signet.db", "signet.db-wal", "signet.db-shm"] {
        fs::copy(left.folder.path().join(name), folder.path().join(name)).unwrap();
    }
    let mut env = left.env.clone();
    env.insert("AUTH__DATABASE__URL".to_owned(), format!("sqlite://{}/signet.db", folder.path().display()));
    let service = Service::start("auth-service", folder.path(), &env).await;
    let http = reqwest::Client::new();
    let refresh =
        async |token: &str| post(&http, &service, "/api/token/refresh/", json!({"refresh": token})).await.0;
    assert_eq!(refresh(&left.alive).await, 200);
    assert_eq!(refresh(&left.ended.1).await, 401);
    eventually("the access token too", || async {
        let verify = json!({"token": left.ended.0});
        (post(&http, &service, "/api/token/verify/", verify).await.0 == 401).then_some(())
    })
    .await;
}
