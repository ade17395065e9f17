//! An acknowledged write is on the disk. The power is cut by freezing the process at a random moment and
//! opening a copy of database and log as they lay there, the write under way torn. Such a copy shows what
//! the system was given to write, not what it wrote: that each answer waited for the disk is what the other
//! test counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use rustix::process::Signal;
use serde_json::json;
use system_tests::drill::{figure, scale};
use system_tests::mouth::unverified_claims;
use system_tests::processes::Service;
use system_tests::replicas::Refreshed;
use system_tests::system::{PASSWORD, USER, auth_env, cli};
use system_tests::trace::Trace;
use system_tests::{Database, eventually};
use tokio::sync::RwLock;
use tokio::task::JoinSet;

/// What clients were told, and what must therefore be there.
#[derive(Debug, Clone, Default)]
struct Acknowledged {
    /// The newest generation of each session.
    generations: HashMap<String, i64>,
    ended: Vec<String>,
    password_changes: i64,
}

struct Bench {
    folder: tempfile::TempDir,
    env: system_tests::processes::Env,
    service: Service,
    http: reqwest::Client,
    told: Mutex<Acknowledged>,
    stop: AtomicBool,
    /// A cut copies files; the command line, another process, must not write to them meanwhile.
    files: RwLock<()>,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut env = auth_env(Database::Sqlite, folder.path(), &[]);
        env.insert("AUTH__LOG__LEVEL".to_owned(), "warn,auth_service::startup=info".to_owned());
        for user in [USER, "changer"] {
            let _ = cli(folder.path(), &env, &["user", "create", user, "--password-stdin"], PASSWORD);
        }
        let service = Service::start("auth-service", folder.path(), &env).await;
        let (http, told) = (reqwest::Client::new(), Mutex::default());
        Self { folder, env, service, http, told, stop: AtomicBool::new(false), files: RwLock::new(()) }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("signet.db")
    }

    async fn obtain(&self) -> String {
        let body = json!({"username": USER, "password": PASSWORD});
        let request = self.http.post(format!("http://{}/api/token/", self.service.http)).json(&body);
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        answer["refresh"].as_str().unwrap().to_owned()
    }

    async fn refresh(&self, token: &str) -> Refreshed {
        let request = self.http.post(format!("http://{}/api/token/refresh/", self.service.http));
        let answer = request.json(&json!({"refresh": token})).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.unwrap();
        match (body["access"].as_str(), body["refresh"].as_str()) {
            (Some(access), Some(refresh)) => {
                Refreshed::Pair { access: access.to_owned(), refresh: refresh.to_owned() }
            }
            _ => Refreshed::Refused(status, body.to_string()),
        }
    }

    async fn blacklist(&self, token: &str) {
        let request = self.http.post(format!("http://{}/api/token/blacklist/", self.service.http));
        let answer = request.json(&json!({"refresh": token})).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// Refreshes a session for a while, ends it, begins another.
    async fn live(self: Arc<Self>, turns: usize) {
        while !self.stop.load(Ordering::Relaxed) {
            let mut token = self.obtain().await;
            let session = unverified_claims(&token)["sid"].as_str().unwrap().to_owned();
            self.told.lock().unwrap().generations.insert(session.clone(), 0);
            for _ in 0..turns {
                token = self.refresh(&token).await.pair().1;
                let generation = unverified_claims(&token)["gen"].as_i64().unwrap();
                self.told.lock().unwrap().generations.insert(session.clone(), generation);
            }
            self.blacklist(&token).await;
            self.told.lock().unwrap().ended.push(session);
        }
    }

    async fn change_passwords(self: Arc<Self>) {
        while !self.stop.load(Ordering::Relaxed) {
            let _files = self.files.read().await;
            let (folder, env) = (self.folder.path().to_owned(), self.env.clone());
            let change = move || cli(&folder, &env, &["user", "passwd", "changer"], "");
            tokio::task::spawn_blocking(change).await.unwrap();
            self.told.lock().unwrap().password_changes += 1;
        }
    }

    /// The files as they lie at this moment, and what had been acknowledged before it.
    async fn cut(&self, into: &Path, torn: usize) -> Acknowledged {
        let _files = self.files.write().await;
        let told = self.told.lock().unwrap().clone();
        self.service.signal(Signal::STOP);
        wait_until_stopped(self.service.pid()).await;
        let log = |database: &Path| PathBuf::from(format!("{}-wal", database.display()));
        std::fs::copy(self.database(), into).unwrap();
        let mut wal = std::fs::read(log(&self.database())).unwrap_or_default();
        self.service.signal(Signal::CONT);
        // The frame that was being written: half of it, or what lay there before.
        let garbage = (0..torn).map(|place| u8::try_from((place * 131 + torn) % 251).unwrap());
        wal.extend(garbage);
        std::fs::write(log(into), wal).unwrap();
        told
    }
}

async fn wait_until_stopped(pid: u32) {
    eventually("the process stands still", || async {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().starts_with('T').then_some(())
    })
    .await;
}

#[derive(QueryableByName)]
struct Session {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = BigInt)]
    generation: i64,
    #[diesel(sql_type = Bool)]
    ended: bool,
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[derive(QueryableByName)]
struct Epoch {
    #[diesel(sql_type = BigInt)]
    password_epoch: i64,
}

fn assert_nothing_is_missing(copy: &Path, told: &Acknowledged, cut: usize) {
    let mut database = SqliteConnection::establish(copy.to_str().unwrap()).unwrap();
    let check: Vec<Check> = sql_query("PRAGMA integrity_check").load(&mut database).unwrap();
    assert_eq!(check[0].integrity_check, "ok", "cut {cut}");
    let sessions = "SELECT id, generation, ended_at IS NOT NULL AS ended FROM sessions";
    let sessions: Vec<Session> = sql_query(sessions).load(&mut database).unwrap();
    let sessions: HashMap<&str, &Session> = sessions.iter().map(|row| (row.id.as_str(), row)).collect();
    for (id, generation) in &told.generations {
        let stored = sessions.get(id.as_str()).unwrap_or_else(|| panic!("cut {cut}: a session is lost"));
        assert!(stored.generation >= *generation, "cut {cut}: a rotation is lost");
    }
    for id in &told.ended {
        assert!(sessions[id.as_str()].ended, "cut {cut}: a revocation is lost");
    }
    let epoch = "SELECT password_epoch FROM users WHERE username = 'changer'";
    let epoch: Vec<Epoch> = sql_query(epoch).load(&mut database).unwrap();
    assert!(epoch[0].password_epoch >= told.password_changes, "cut {cut}: a password change is lost");
}

#[tokio::test]
async fn f09_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let bench = Arc::new(Bench::start().await);
    let mut clients = JoinSet::new();
    for client in 0..6 {
        clients.spawn(Arc::clone(&bench).live(10 + client));
    }
    clients.spawn(Arc::clone(&bench).change_passwords());
    let copies = tempfile::tempdir().unwrap();
    let mut last = Acknowledged::default();
    let cuts = scale(200, 1000);
    for cut in 0..cuts {
        tokio::time::sleep(Duration::from_micros((cut as u64 * 337) % 20_000)).await;
        let copy = copies.path().join(format!("{cut}.db"));
        last = bench.cut(&copy, cut * 97 % 5000).await;
        let told = last.clone();
        let check = move || {
            assert_nothing_is_missing(&copy, &told, cut);
            std::fs::remove_file(copy).unwrap();
        };
        tokio::task::spawn_blocking(check).await.unwrap();
    }
    bench.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert!(last.ended.len() > 50, "too little was going on: {} sessions ended", last.ended.len());
    assert!(last.password_changes > 5, "too little was going on: {} passwords", last.password_changes);
    let (sessions, ended) = (last.generations.len(), last.ended.len());
    figure(format!("{cuts} cuts: of {sessions} sessions and {ended} ends that were acknowledged 0 lost"));
}

#[tokio::test]
async fn each_answer_waits_for_the_disk_and_many_share_one_wait() {
    let bench = Arc::new(Bench::start().await);
    let mut tokens = Vec::new();
    for _ in 0..24 {
        tokens.push(bench.obtain().await);
    }
    let trace = Trace::attach(bench.service.pid(), bench.folder.path(), &[]).await;

    // One after the other: a wait each.
    let before = trace.forced();
    for _ in 0..20 {
        tokens[0] = bench.refresh(&tokens[0]).await.pair().1;
    }
    let alone = trace.forced() - before;
    assert!(alone >= 20, "{alone} waits for 20 answers, one after the other");

    // All at once: fewer waits than answers.
    let before = trace.forced();
    for _ in 0..10 {
        let mut herd = JoinSet::new();
        for token in tokens.drain(..) {
            let bench = Arc::clone(&bench);
            herd.spawn(async move { bench.refresh(&token).await.pair().1 });
        }
        tokens = herd.join_all().await;
    }
    let together = trace.forced() - before;
    assert!(together > 0 && together < 240 * 3 / 4, "{together} waits for 240 answers, 24 at once");
}

/// Each commit of the server takes 30 ms here, and the next one begins at once: SQLite gives its lock to
/// whoever looks first, and its own wait would look too seldom.
#[tokio::test]
async fn a_command_gets_its_turn_beside_a_server_that_writes_all_the_time() {
    let bench = Arc::new(Bench::start().await);
    let _slow_disk = Trace::attach(
        bench.service.pid(),
        bench.folder.path(),
        &["-e", "inject=fdatasync,fsync:delay_enter=30000"],
    )
    .await;
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(Arc::clone(&bench).live(1000));
    }
    for _ in 0..20 {
        let before = bench.told.lock().unwrap().generations.values().sum::<i64>();
        eventually("the server is writing", || async {
            (bench.told.lock().unwrap().generations.values().sum::<i64>() > before + 8).then_some(())
        })
        .await;
        let (folder, env) = (bench.folder.path().to_owned(), bench.env.clone());
        let change = move || cli(&folder, &env, &["user", "passwd", "changer"], "");
        let _ = tokio::task::spawn_blocking(change).await.unwrap();
    }
    clients.abort_all();
}
