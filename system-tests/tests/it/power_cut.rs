//! An acknowledged write is on the disk. The power is cut by freezing the process at a random moment and
//! opening a copy of database and log as they lay there, the write under way torn. Such a copy shows what
//! the system was given to write, not what it wrote: that each answer waited for the disk is what the other
//! test counts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use rustix::process::Signal;
use serde_json::json;
use system_tests::database::{StoredSession, integrity, open_sqlite, sessions};
use system_tests::drill::{figure, scale};
use system_tests::eventually;
use system_tests::lone::Lone;
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, cli};
use system_tests::trace::Trace;
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
    lone: Lone,
    told: Mutex<Acknowledged>,
    stop: AtomicBool,
    /// A cut copies files; the command line, another process, must not write to them meanwhile.
    files: RwLock<()>,
}

impl Bench {
    async fn start() -> Self {
        let lone = Lone::start().await;
        let changer = ["user", "create", "changer", "--password-stdin"];
        let _ = cli(lone.folder.path(), &lone.env, &changer, PASSWORD);
        Self { lone, told: Mutex::default(), stop: AtomicBool::new(false), files: RwLock::new(()) }
    }

    async fn obtain(&self) -> String {
        self.lone.obtain().await.1
    }

    /// Refreshes a session for a while, ends it, begins another.
    async fn live(self: Arc<Self>, turns: usize) {
        while !self.stop.load(Ordering::Relaxed) {
            let mut token = self.obtain().await;
            let session = unverified_claims(&token)["sid"].as_str().unwrap().to_owned();
            self.told.lock().unwrap().generations.insert(session.clone(), 0);
            for _ in 0..turns {
                token = self.lone.next(&token).await;
                let generation = unverified_claims(&token)["gen"].as_i64().unwrap();
                self.told.lock().unwrap().generations.insert(session.clone(), generation);
            }
            let (status, _) = self.lone.post("/api/token/blacklist/", json!({"refresh": token})).await;
            assert_eq!(status, 200);
            self.told.lock().unwrap().ended.push(session);
        }
    }

    async fn change_passwords(self: Arc<Self>) {
        while !self.stop.load(Ordering::Relaxed) {
            let _files = self.files.read().await;
            let (folder, env) = (self.lone.folder.path().to_owned(), self.lone.env.clone());
            let change = move || cli(&folder, &env, &["user", "passwd", "changer"], "");
            tokio::task::spawn_blocking(change).await.unwrap();
            self.told.lock().unwrap().password_changes += 1;
        }
    }

    /// The files as they lie at this moment, and what had been acknowledged before it.
    async fn cut(&self, into: &Path, torn: usize) -> Acknowledged {
        let _files = self.files.write().await;
        let told = self.told.lock().unwrap().clone();
        self.lone.service.signal(Signal::STOP);
        wait_until_stopped(self.lone.service.pid()).await;
        let log = |database: &Path| PathBuf::from(format!("{}-wal", database.display()));
        std::fs::copy(self.lone.database(), into).unwrap();
        let mut wal = std::fs::read(log(&self.lone.database())).unwrap_or_default();
        self.lone.service.signal(Signal::CONT);
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
struct Epoch {
    #[diesel(sql_type = BigInt)]
    password_epoch: i64,
}

fn assert_nothing_is_missing(copy: &Path, told: &Acknowledged, cut: usize) {
    assert_eq!(integrity(copy), "ok", "cut {cut}");
    let stored = sessions(&format!("sqlite://{}", copy.display()));
    let sessions: HashMap<&str, &StoredSession> = stored.iter().map(|row| (row.id.as_str(), row)).collect();
    for (id, generation) in &told.generations {
        let stored = sessions.get(id.as_str()).unwrap_or_else(|| panic!("cut {cut}: a session is lost"));
        assert!(stored.generation >= *generation, "cut {cut}: a rotation is lost");
    }
    for id in &told.ended {
        assert!(sessions[id.as_str()].ended, "cut {cut}: a revocation is lost");
    }
    let epoch = "SELECT password_epoch FROM users WHERE username = 'changer'";
    let mut database = open_sqlite(copy.to_str().unwrap());
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
    let trace = Trace::attach(bench.lone.service.pid(), bench.lone.folder.path(), &[]).await;

    // One after the other: a wait each.
    let before = trace.forced();
    for _ in 0..20 {
        tokens[0] = bench.lone.next(&tokens[0]).await;
    }
    let alone = trace.forced() - before;
    assert!(alone >= 20, "{alone} waits for 20 answers, one after the other");

    // All at once: fewer waits than answers.
    let before = trace.forced();
    for _ in 0..10 {
        let mut herd = JoinSet::new();
        for token in tokens.drain(..) {
            let bench = Arc::clone(&bench);
            herd.spawn(async move { bench.lone.next(&token).await });
        }
        tokens = herd.join_all().await;
    }
    let together = trace.forced() - before;
    assert!(together > 0 && together < 240 * 3 / 4, "{together} waits for 240 answers, 24 at once");
}

/// Each commit of the server takes 30 ms here, and the next one begins at once: SQLite gives its lock to
/// anyone who looks first, and its own wait would look too seldom.
#[tokio::test]
async fn a_command_gets_its_turn_beside_a_server_that_writes_all_the_time() {
    let bench = Arc::new(Bench::start().await);
    let _slow_disk = Trace::attach(
        bench.lone.service.pid(),
        bench.lone.folder.path(),
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
        let (folder, env) = (bench.lone.folder.path().to_owned(), bench.lone.env.clone());
        let change = move || cli(&folder, &env, &["user", "passwd", "changer"], "");
        let _ = tokio::task::spawn_blocking(change).await.unwrap();
    }
    clients.abort_all();
}
