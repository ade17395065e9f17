//! PostgreSQL stops, freezes, or has no connection left, while everybody goes on asking.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use reqwest::RequestBuilder;
use rustix::process::Signal;
use serde_json::{Value, json};
use system_tests::cluster::Cluster;
use system_tests::drill::{figure, scale};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, PATIENCE, Protocol, System, eventually};
use tokio::task::JoinSet;

use super::feed_faults::Cut;

/// What the callers of one kind were answered.
#[derive(Default)]
struct Answers {
    good: AtomicU64,
    slowest_good: Mutex<Duration>,
    /// How long each 503 took.
    refusals: Mutex<Vec<Duration>>,
    /// Neither 200 nor 503, or no answer at all.
    wrong: Mutex<Vec<String>>,
}

impl Answers {
    /// Asks once: the body of a 200.
    async fn note(&self, request: RequestBuilder) -> Option<Value> {
        let asked = Instant::now();
        let answer = request.timeout(Duration::from_secs(60)).send().await;
        let took = asked.elapsed();
        match answer {
            Ok(answer) if answer.status() == 200 => {
                self.note_good(took);
                self.good.fetch_add(1, Ordering::Relaxed);
                Some(answer.json().await.unwrap_or_default())
            }
            Ok(answer) if answer.status() == 503 => {
                self.refusals.lock().unwrap().push(took);
                assert_eq!(answer.headers()["retry-after"], "1");
                None
            }
            Ok(answer) => {
                let (status, body) = (answer.status(), answer.text().await.unwrap_or_default());
                self.wrong.lock().unwrap().push(format!("{status}: {body}"));
                None
            }
            Err(error) => {
                self.wrong.lock().unwrap().push(error.to_string());
                None
            }
        }
    }

    fn note_good(&self, took: Duration) {
        let mut slowest = self.slowest_good.lock().unwrap();
        *slowest = took.max(*slowest);
    }

    fn refused(&self) -> usize {
        self.refusals.lock().unwrap().len()
    }

    /// The median and the slowest.
    fn refused_in(&self) -> (Duration, Duration) {
        let mut refusals = self.refusals.lock().unwrap().clone();
        refusals.sort_unstable();
        (refusals[refusals.len() / 2], *refusals.last().unwrap())
    }

    fn assert_nothing_else(&self, what: &str) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{what}: {} wrong answers: {:?}", wrong.len(), wrong.first());
    }
}

/// Callers that ask without end: of what needs the database, and of what needs none.
struct Load {
    over: Arc<AtomicBool>,
    /// Key set, client tokens, and requests at the resource service.
    without: Arc<Answers>,
    /// Refreshes and logins.
    with: Arc<Answers>,
    callers: JoinSet<()>,
}

/// A pause between two requests of one caller: a load, not a flood.
const PACE: Duration = Duration::from_millis(5);

impl Load {
    async fn begin(system: &System) -> Self {
        let mut load = Self {
            over: Arc::default(),
            without: Arc::default(),
            with: Arc::default(),
            callers: JoinSet::new(),
        };
        let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
        let http = system.http.clone();
        let machine = http
            .post(system.auth_url("/oauth2/token"))
            .basic_auth(GATEWAY, Some(&system.gateway_secret))
            .form(&[("grant_type", "client_credentials")]);
        let notes = http.get(system.resource_url("/notes")).bearer_auth(&pair.access);
        for request in [http.get(system.auth_url("/.well-known/jwks.json")), machine, notes] {
            load.repeat(Arc::clone(&load.without), request);
        }
        let login = json!({"username": USER, "password": PASSWORD});
        load.repeat(Arc::clone(&load.with), http.post(system.auth_url("/api/token/")).json(&login));
        for _ in 0..6 {
            let mut held = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap().refresh;
            let (over, answers) = (Arc::clone(&load.over), Arc::clone(&load.with));
            let request = http.post(system.auth_url("/api/token/refresh/"));
            load.callers.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let request = request.try_clone().unwrap().json(&json!({"refresh": held}));
                    if let Some(body) = answers.note(request).await {
                        body["refresh"].as_str().unwrap().clone_into(&mut held);
                    }
                    tokio::time::sleep(PACE).await;
                }
            });
        }
        load
    }

    fn repeat(&mut self, answers: Arc<Answers>, request: RequestBuilder) {
        let over = Arc::clone(&self.over);
        self.callers.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                answers.note(request.try_clone().unwrap()).await;
                tokio::time::sleep(PACE).await;
            }
        });
    }

    async fn is_flowing(&self) {
        let before = self.with.good.load(Ordering::Relaxed);
        eventually("requests go through", || async {
            (self.with.good.load(Ordering::Relaxed) > before + 20).then_some(())
        })
        .await;
    }

    /// Every answer was either right or 503, and of what needs no database none was 503.
    async fn end(self) -> (Arc<Answers>, Arc<Answers>) {
        self.over.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
        self.with.assert_nothing_else("with the database");
        self.without.assert_nothing_else("without it");
        assert_eq!(self.without.refused(), 0, "these need no database");
        (self.with, self.without)
    }
}

async fn answers(system: &System, path: &str, expected: u16) -> Duration {
    let asked = Instant::now();
    eventually(&format!("{path} answers {expected}"), || async {
        let answer = system.http.get(system.auth_url(path)).send().await.unwrap();
        (answer.status() == expected).then_some(())
    })
    .await;
    asked.elapsed()
}

fn threads(system: &System) -> usize {
    fs::read_dir(format!("/proc/{}/task", system.auth.pid())).unwrap().count()
}

/// How a database is taken away.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Stopped,
    Frozen,
    /// Nothing passes, and no connection is closed.
    CutOff,
}

impl Fault {
    fn begin(self, cluster: &Cluster) -> Option<Cut> {
        match self {
            Self::Stopped => cluster.cut(0),
            Self::Frozen => cluster.signal(Signal::STOP),
            Self::CutOff => return Some(Cut::of(cluster.port())),
        }
        None
    }

    fn end(self, cluster: &Cluster, cut: Option<Cut>) {
        match self {
            Self::Stopped => cluster.start_node(0, ""),
            Self::Frozen => cluster.signal(Signal::CONT),
            Self::CutOff => drop(cut),
        }
    }
}

/// Takes a database away under load for a while, and gives it back.
async fn outage(fault: Fault, for_so_long: Duration) {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let url = cluster.url();
    let system = System::with(Database::Postgres, &[("AUTH__DATABASE__URL", &url)]).await;
    let load = Load::begin(&system).await;
    load.is_flowing().await;
    let (threads_before, memory_before) = (threads(&system), system.auth.resident_kib());

    let (cluster, cut) = tokio::task::spawn_blocking(move || {
        let cut = fault.begin(&cluster);
        (cluster, cut)
    })
    .await
    .unwrap();
    let began = Instant::now();
    let not_ready_in = answers(&system, "/readyz", 503).await;
    let (mut most_threads, mut most_memory) = (threads_before, memory_before);
    while began.elapsed() < for_so_long {
        most_threads = most_threads.max(threads(&system));
        most_memory = most_memory.max(system.auth.resident_kib());
        let alive = system.http.get(system.auth_url("/healthz")).send().await.unwrap();
        assert_eq!(alive.status(), 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(load.with.refused() > 0);
    let cluster = tokio::task::spawn_blocking(move || {
        fault.end(&cluster, cut);
        cluster
    })
    .await
    .unwrap();
    let ready_in = answers(&system, "/readyz", 200).await;
    load.is_flowing().await;
    let (with, without) = load.end().await;

    let (median, refused_in) = with.refused_in();
    assert!(refused_in < Duration::from_secs(5), "a refusal took {refused_in:?}");
    assert!(not_ready_in < Duration::from_secs(5), "{not_ready_in:?}");
    // As many as may block, and no more.
    let more_threads = most_threads.saturating_sub(threads_before);
    let more_memory = most_memory.saturating_sub(memory_before) / 1024;
    assert!(more_threads <= 64, "{more_threads} threads more");
    assert!(more_memory <= 64, "{more_memory} MiB more");
    assert!(!system.auth.log().contains("panicked"));
    figure(format!(
        "{fault:?} for {for_so_long:?}: not ready in {not_ready_in:.1?}, {} times 503, median {median:.0?}, slowest {refused_in:.2?}; keys, \
         machine tokens, verifiers {} times right, none refused; {more_threads} threads and {more_memory} MiB more; \
         ready {ready_in:.1?} after it is back, 0 sessions lost",
        with.refused(),
        without.good.load(Ordering::Relaxed),
    ));
    drop(cluster);
}

#[tokio::test]
async fn f05_a_database_that_was_stopped_is_a_503_at_once_and_is_used_again_by_itself() {
    outage(Fault::Stopped, scale(Duration::from_secs(3), Duration::from_secs(60))).await;
}

#[tokio::test]
async fn f05_a_database_that_is_cut_off_in_silence_holds_nobody_and_is_used_again_by_itself() {
    outage(Fault::CutOff, scale(Duration::from_secs(3), Duration::from_secs(60))).await;
}

#[tokio::test]
async fn f06_a_database_that_is_frozen_holds_nobody_and_is_used_again_by_itself() {
    outage(Fault::Frozen, scale(Duration::from_secs(3), Duration::from_secs(20))).await;
}

#[tokio::test]
async fn f06_told_to_stop_while_its_database_is_frozen_the_authority_ends_by_itself() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let system = System::with(Database::Postgres, &[("AUTH__DATABASE__URL", &cluster.url())]).await;
    cluster.signal(Signal::STOP);
    answers(&system, "/readyz", 503).await;
    let told = Instant::now();
    let System { auth, .. } = system;
    let ended = tokio::time::timeout(PATIENCE, auth.stop()).await;
    cluster.signal(Signal::CONT);
    let status = ended.expect("it ends without a second signal");
    assert_eq!(status.code(), Some(0));
    figure(format!("SIGTERM while it is frozen: ended after {:.1?}", told.elapsed()));
}

#[tokio::test]
async fn f10_with_every_connection_taken_callers_are_sent_away_and_the_rest_goes_on() {
    let system = System::with(Database::Postgres, &[("AUTH__DATABASE__POOL_SIZE", "2")]).await;
    let load = Load::begin(&system).await;
    let held = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().refresh;
    load.is_flowing().await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    let mut outside = PgConnection::establish(&url).unwrap();
    outside.batch_execute("BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE").unwrap();
    let locked = Instant::now();
    for _ in 0..scale(1, 5) {
        let mut herd = JoinSet::new();
        for _ in 0..200 {
            let answers = Arc::clone(&load.with);
            let request =
                system.http.post(system.auth_url("/api/token/verify/")).json(&json!({"token": held}));
            herd.spawn(async move { answers.note(request).await });
        }
        assert!(herd.join_all().await.iter().all(Option::is_none), "the row cannot be read");
    }
    let seen = load.with.refused();
    eventually("those who need a session are refused", || async {
        (load.with.refused() > seen + 20).then_some(())
    })
    .await;
    let held_for = locked.elapsed();
    outside.batch_execute("ROLLBACK").unwrap();
    let ready_in = answers(&system, "/readyz", 200).await;
    load.is_flowing().await;
    let (with, without) = load.end().await;
    let (median, refused_in) = with.refused_in();
    assert!(refused_in < Duration::from_secs(5), "a refusal took {refused_in:?}");
    let beside = *without.slowest_good.lock().unwrap();
    figure(format!(
        "2 connections, locked out for {held_for:.1?}: {} refused, median {median:.0?}, slowest {refused_in:.2?}; the rest at most \
         {beside:.0?}; ready {ready_in:.1?} after the lock is gone",
        with.refused(),
    ));
}
