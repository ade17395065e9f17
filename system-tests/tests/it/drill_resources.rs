//! What a process may use runs out.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use system_tests::bystander::Times;
use system_tests::drill::{figure, scale};
use system_tests::processes::{Env, Service};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually, eventually_within};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Starts a service again on its own addresses, by a program that confines it, with a log of the ordinary length.
async fn confine(service: &mut Service, wrapper: &[&str], (name, env): (&str, &Env), folder: &Path) {
    let prefix = if name == "auth-service" { "AUTH" } else { "RESOURCE" };
    let mut env = env.clone();
    env.insert(format!("{prefix}__HTTP__BIND"), service.http.to_string());
    env.insert(format!("{prefix}__GRPC__BIND"), service.grpc.to_string());
    env.insert(format!("{prefix}__LOG__LEVEL"), "info".to_owned());
    service.signal(Signal::TERM);
    service.ended().await;
    *service = Service::start_under(wrapper, name, folder, &env).await;
}

/// Files and sockets that a service may have open; a start takes half of them.
const FEW: [&str; 2] = ["prlimit", "--nofile=128"];

/// The limit that a process starts with is not the one that it may have.
#[tokio::test]
async fn both_services_take_all_the_descriptors_that_they_may_have() {
    let mut system = System::start(Database::Sqlite).await;
    let folder = system.folder.path();
    let low = ["prlimit", "--nofile=200:5000"];
    confine(&mut system.auth, &low, ("auth-service", &system.auth_env), folder).await;
    confine(&mut system.resource, &low, ("resource-service", &system.resource_env), folder).await;
    for service in [&system.auth, &system.resource] {
        let limits = fs::read_to_string(format!("/proc/{}/limits", service.pid())).unwrap();
        let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let numbers: Vec<&str> =
            files.split_whitespace().filter(|word| word.parse::<u32>().is_ok()).collect();
        assert_eq!(numbers, ["5000", "5000"], "{files}");
    }
}

/// How long the descriptors stay exhausted: long enough for a loop that spins to show.
const EXHAUSTED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn f31_when_descriptors_run_out_neither_protocol_spins_and_both_accept_again() {
    let mut system = System::start(Database::Sqlite).await;
    let folder = system.folder.path();
    confine(&mut system.auth, &FEW, ("auth-service", &system.auth_env), folder).await;
    confine(&mut system.resource, &FEW, ("resource-service", &system.resource_env), folder).await;
    system.resource_is_ready().await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    assert!(system.notes_accept(&token).await);

    let mut told = Vec::new();
    for (what, service) in [("authority", &system.auth), ("resource service", &system.resource)] {
        let (spent, lines) = exhaust(service).await;
        let freed = Instant::now();
        let http = async {
            eventually("HTTP accepts again", || http_answers(&system.http, service.http)).await;
            freed.elapsed()
        };
        let grpc = async {
            eventually("gRPC accepts again", || grpc_answers(service.grpc)).await;
            freed.elapsed()
        };
        let (http, grpc) = tokio::join!(http, grpc);
        assert!(spent < EXHAUSTED / 4, "{what}: {spent:?} of processor time in {EXHAUSTED:?}: it spins");
        assert!(lines < 50, "{what}: {lines} lines of log");
        assert!(grpc.max(http) < Duration::from_secs(5), "{what}: {http:?}, {grpc:?}");
        let share = spent.as_secs_f64() / EXHAUSTED.as_secs_f64() * 100.0;
        told.push(format!(
            "{what}: {share:.0} % of a core and {lines} lines of log meanwhile; accepts again after {http:.1?} (HTTP), {grpc:.1?} (gRPC)"
        ));
    }
    assert!(system.notes_accept(&token).await);
    assert!(Protocol::Grpc.is_active(&system, &token).await);
    figure(told.join("; "));
}

/// Opens more sockets than the service has descriptors, to both protocols, and closes them after a while: the
/// processor time and the lines of log that it spent on them.
async fn exhaust(service: &Service) -> (Duration, usize) {
    let mut sockets = Vec::new();
    for _ in 0..100 {
        for address in [service.http, service.grpc] {
            sockets.push(TcpStream::connect(address).await.unwrap());
        }
    }
    eventually("its descriptors are used up", || async { (service.descriptors() >= 128).then_some(()) })
        .await;
    let (cpu, lines) = (service.cpu_time(), service.log().lines().count());
    tokio::time::sleep(EXHAUSTED).await;
    (service.cpu_time().saturating_sub(cpu), service.log().lines().count() - lines)
}

/// Longest wait for one answer.
const ONE_ANSWER: Duration = Duration::from_secs(2);

async fn http_answers(client: &reqwest::Client, address: SocketAddr) -> Option<()> {
    let request = client.get(format!("http://{address}/healthz")).timeout(ONE_ANSWER);
    request.send().await.ok()?.status().is_success().then_some(())
}

async fn grpc_answers(address: SocketAddr) -> Option<()> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().timeout(ONE_ANSWER);
    let channel = tokio::time::timeout(ONE_ANSWER, endpoint.connect()).await.ok()?.ok()?;
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.ok().map(drop)
}

/// A cgroup of its own with a tenth of a core and 64 MiB, of whichever version there is.
struct Starved {
    /// One for all that is limited, or one for each.
    folders: Vec<PathBuf>,
    version: u8,
}

const MEMORY: &str = "67108864";

impl Starved {
    fn new() -> Self {
        let root = Path::new("/sys/fs/cgroup");
        let name = format!("signet-drill-{}", std::process::id());
        let (version, folders) = if root.join("cgroup.controllers").exists() {
            // Its controllers may be switched on already.
            let _ = fs::write(root.join("cgroup.subtree_control"), "+cpu +memory");
            (2, vec![root.join(name)])
        } else {
            (1, vec![root.join("cpu").join(&name), root.join("memory").join(&name)])
        };
        let starved = Self { folders, version };
        for folder in &starved.folders {
            fs::create_dir(folder).unwrap_or_else(|error| {
                panic!("no cgroup can be made here, which takes root and /sys/fs/cgroup: {error}")
            });
        }
        match version {
            2 => starved.set(&[("cpu.max", "10000 100000"), ("memory.max", MEMORY)]),
            _ => starved.set(&[("cpu.cfs_quota_us", "10000"), ("memory.limit_in_bytes", MEMORY)]),
        }
        starved
    }

    fn set(&self, limits: &[(&str, &str)]) {
        for (file, value) in limits {
            let path = self.folders.iter().map(|folder| folder.join(file)).find(|path| path.exists());
            let path = path.unwrap_or_else(|| panic!("cgroups here have no {file}"));
            fs::write(path, value).unwrap();
        }
    }

    /// A shell that steps into it and becomes the program whose name follows.
    fn wrapper(&self) -> [String; 4] {
        let into = |folder: &PathBuf| format!("echo $$ > {}/cgroup.procs && ", folder.display());
        let steps: String = self.folders.iter().map(into).collect();
        ["sh".to_owned(), "-c".to_owned(), format!("{steps} exec \"$@\""), "sh".to_owned()]
    }

    /// How many processes were killed for want of memory.
    fn killed(&self) -> u64 {
        let file = if self.version == 2 { "memory.events" } else { "memory.oom_control" };
        counted(&self.folders.last().unwrap().join(file), "oom_kill ")
    }

    /// How often its share of a core was used up.
    fn throttled(&self) -> u64 {
        counted(&self.folders[0].join("cpu.stat"), "nr_throttled ")
    }
}

fn counted(file: &Path, what: &str) -> u64 {
    let told = fs::read_to_string(file).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix(what));
    line.expect("what is counted").trim().parse().unwrap()
}

impl Drop for Starved {
    fn drop(&mut self) {
        for folder in &self.folders {
            // Anyone who was in it has ended, and may not have been buried yet.
            let given_up = Instant::now() + Duration::from_secs(5);
            while fs::remove_dir(folder).is_err() && Instant::now() < given_up {
                std::thread::yield_now();
            }
        }
    }
}

#[tokio::test]
async fn f19_a_starved_verifier_with_many_revoked_ids_answers_right_and_lives() {
    let count = scale(10_000, 100_000);
    let mut system = System::start(Database::Sqlite).await;
    let login = async || Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let (good, revoked) = (login().await, login().await);
    let sid = unverified_claims(&revoked)["sid"].as_str().unwrap().to_owned();
    // The session of a token at hand as the last one: refused when all of them are known.
    system.revoke_many(count, &sid);
    system.notes_come_to_refuse(&revoked).await;

    let starved = Starved::new();
    let wrapper = starved.wrapper();
    let wrapper: Vec<&str> = wrapper.iter().map(String::as_str).collect();
    // With nothing to begin from but what it is told.
    fs::remove_dir_all(&system.resource_env["RESOURCE__DATA_DIR"]).unwrap();
    let started = Instant::now();
    let verifier = ("resource-service", &system.resource_env);
    confine(&mut system.resource, &wrapper, verifier, system.folder.path()).await;
    eventually_within(STARVED, "it has all of them", || async {
        (system.notes_over_http(&revoked).await == 401).then_some(())
    })
    .await;
    let loaded = started.elapsed();
    let mut times = Vec::new();
    for _ in 0..scale(20, 200) {
        let asked = Instant::now();
        assert!(system.notes_accept(&good).await);
        assert!(!system.notes_accept(&revoked).await);
        times.push(asked.elapsed() / 4);
    }
    assert_eq!(starved.killed(), 0);
    let throttled = starved.throttled();
    assert!(throttled > 0, "it was never short of anything");
    let peak = system.resource.peak_kib() / 1024;
    figure(format!(
        "{count} revoked ids in {loaded:.1?} after its start; {}; {peak} MiB at most, held back {throttled} times, 0 killed",
        Times::of(times)
    ));
    drop(system);
}

/// A start takes a second of processor time in a debug build, which are ten here.
const STARVED: Duration = Duration::from_secs(60);
