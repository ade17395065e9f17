//! What a process may use runs out.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use system_tests::drill::figure;
use system_tests::processes::{Env, Service};
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Mouth, System, eventually};
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

/// How long the descriptors stay exhausted: long enough for a loop that spins to show.
const EXHAUSTED: Duration = Duration::from_secs(2);

#[tokio::test]
async fn f31_when_descriptors_run_out_neither_mouth_spins_and_both_accept_again() {
    let mut system = System::start(Database::Sqlite).await;
    let folder = system.folder.path();
    confine(&mut system.auth, &FEW, ("auth-service", &system.auth_env), folder).await;
    confine(&mut system.resource, &FEW, ("resource-service", &system.resource_env), folder).await;
    system.resource_is_ready().await;
    let token = Mouth::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
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
    assert!(Mouth::Grpc.is_active(&system, &token).await);
    figure(told.join("; "));
}

/// Opens more sockets than the service has descriptors, to both mouths, and closes them after a while: the
/// processor time and the lines of log that it spent on them.
async fn exhaust(service: &Service) -> (Duration, usize) {
    let mut sockets = Vec::new();
    for _ in 0..100 {
        for address in [service.http, service.grpc] {
            sockets.push(TcpStream::connect(address).await.unwrap());
        }
    }
    let open = || std::fs::read_dir(format!("/proc/{}/fd", service.pid())).unwrap().count();
    eventually("its descriptors are used up", || async { (open() >= 128).then_some(()) }).await;
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
