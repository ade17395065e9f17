//! Clients that take their time: they are cut when it is up, and nobody else waits for them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::bystander::{Bystander, Times};
use system_tests::drill::{figure, scale};
use system_tests::processes::Service;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Protocol, System, eventually, eventually_within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::feeds::certificates;
use super::gateway::Nginx;

/// One way to be slow.
#[derive(Clone)]
struct Slow {
    what: &'static str,
    /// Sent at once, and then `drip` each second.
    opening: String,
    drip: &'static str,
    /// Whether the answers are read.
    deaf: bool,
    /// When the connection is cut.
    after: Duration,
}

/// A busy machine is late, and so may the cut be.
const LATE: Duration = Duration::from_secs(15);

impl Slow {
    fn new(what: &'static str, opening: &str, drip: &'static str, seconds: u64) -> Self {
        let after = Duration::from_secs(seconds);
        Self { what, opening: opening.to_owned(), drip, deaf: false, after }
    }

    fn headers() -> Self {
        Self::new("headers", "GET /healthz HTTP/1.1\r\nhost: a\r\n", "x-more: x\r\n", 5)
    }

    /// A request that is answered, and nothing more.
    fn idle() -> Self {
        Self::new("idle", "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", "", 60)
    }

    /// A request, and no eye for the answer, which is larger than all buffers on the way.
    fn reader(request: &str) -> Self {
        Self { deaf: true, ..Self::new("reading", request, "", 60) }
    }

    /// The time until the connection is closed; `None` if it is not, long after that was due.
    async fn client(self, address: SocketAddr) -> Option<Duration> {
        let socket = TcpSocket::new_v4().unwrap();
        if self.deaf {
            socket.set_recv_buffer_size(4096).unwrap();
        }
        let opened = Instant::now();
        let stream = socket.connect(address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let talk = async {
            write.write_all(self.opening.as_bytes()).await?;
            loop {
                sleep(Duration::from_secs(1)).await;
                write.write_all(self.drip.as_bytes()).await?;
            }
        };
        let listen = async {
            if self.deaf {
                std::future::pending::<()>().await;
            }
            let mut answer = [0; 4096];
            while read.read(&mut answer).await.is_ok_and(|read| read > 0) {}
        };
        let ended = async {
            tokio::select! {
                broken = talk => { let _: std::io::Result<()> = broken; }
                () = listen => {}
            }
        };
        let patience = if self.deaf { Duration::MAX } else { self.after + LATE };
        timeout(patience, ended).await.ok().map(|()| opened.elapsed())
    }
}

/// What `scripts/test` has the time to wait for.
fn is_waited_for(slow: &Slow) -> bool {
    slow.after <= scale(Duration::from_secs(10), Duration::MAX)
}

/// Slow clients of every kind at once, 200 or 2000 of them, beside one that is quick.
async fn endure(
    (service, address): (&Service, SocketAddr),
    kinds: Vec<Slow>,
    quick: impl Fn() -> Bystander,
) -> String {
    let calm = quick();
    sleep(Duration::from_secs(1)).await;
    let calm = calm.end().await;
    let (memory, descriptors, began) = (service.forget_peak(), service.descriptors(), Instant::now());
    let busy = quick();
    let (mut clients, mut held) = (JoinSet::new(), JoinSet::new());
    // Large answers are work as well as slow to read: too many at once would be another fault.
    let of_kind = |kind: &Slow| scale(200, 2000) / kinds.len() / if kind.deaf { 25 } else { 1 };
    for slow in kinds.iter().flat_map(|kind| std::iter::repeat_n(kind.clone(), of_kind(kind))) {
        if is_waited_for(&slow) && !slow.deaf {
            clients.spawn(async move { (slow.what, slow.client(address).await) });
        } else {
            held.spawn(slow.client(address));
        }
    }
    let cut = clients.join_all().await;
    let mut told = Vec::new();
    for kind in kinds.iter().filter(|kind| is_waited_for(kind)) {
        if kind.deaf {
            // That these are cut shows at the other end alone, when all the others have gone.
            let what = "slow readers are cut";
            let cut = || async { (service.descriptors() < descriptors + 10).then(|| began.elapsed()) };
            let after = eventually_within(kind.after + LATE, what, cut).await;
            told.push(format!("{} cut within {after:.1?}", kind.what));
            continue;
        }
        let such = cut.iter().filter(|(what, _)| *what == kind.what);
        let after: Option<Vec<Duration>> = such.map(|(_, after)| *after).collect();
        let after = Times::of(after.unwrap_or_else(|| panic!("{}: some were not cut", kind.what)));
        let (first, last) = (after.percentile(0), after.percentile(100));
        told.push(format!("{} cut after {first:.1?} to {last:.1?}", kind.what));
    }
    let times = busy.end().await;
    let rise = service.peak_kib().saturating_sub(memory) / 1024;
    let slow: usize = kinds.iter().map(of_kind).sum();
    format!(
        "{slow} slow ones: {}; a quick one: {times} (before: {calm}); memory +{rise} MiB",
        told.join(", ")
    )
}

/// The keys, asked for by someone else, on a connection that he keeps.
fn asks(url: String, token: Option<String>) -> impl Fn() -> Bystander {
    let from_elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let client = reqwest::Client::builder().local_address(from_elsewhere).build().unwrap();
    move || {
        let (client, url, token) = (client.clone(), url.clone(), token.clone());
        Bystander::start(move || {
            let mut request = client.get(&url);
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            async move { assert_eq!(request.send().await.expect("an answer").status(), 200) }
        })
    }
}

const KEYS: &str = "/.well-known/jwks.json";

/// A POST of a JSON body that has only begun.
fn half_a_body(path: &str, header: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\n{header}content-type: application/json\r\ncontent-length: 999\r\n\r\n{{"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f32_slow_clients_of_the_authority_are_cut_and_nobody_waits_for_them() {
    let system = System::quiet().await;
    // The document of these has three megabytes.
    system.revoke_many(32_000, "the last");
    let document = async || {
        let answer = system.http.get(system.auth_url("/revocations")).send().await.ok()?;
        (answer.bytes().await.ok()?.len() > 2_000_000).then_some(())
    };
    eventually("they are published", document).await;
    let body = half_a_body("/api/token/", "");
    let read = "GET /revocations HTTP/1.1\r\nhost: a\r\n\r\n";
    let kinds = vec![Slow::headers(), Slow::new("bodies", &body, " ", 10), Slow::idle(), Slow::reader(read)];
    let told = endure((&system.auth, system.auth.http), kinds, asks(system.auth_url(KEYS), None)).await;
    figure(format!("authority: {told}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f32_slow_clients_of_a_resource_service_are_cut_and_nobody_waits_for_them() {
    let system = System::quiet().await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    for _ in 0..100 {
        let note = json!({"text": "\u{1f980}".repeat(10_000)});
        let request = system.http.post(system.resource_url("/notes")).bearer_auth(&token).json(&note);
        assert_eq!(request.send().await.unwrap().status(), 201);
    }
    let header = format!("authorization: Bearer {token}\r\n");
    let body = half_a_body("/notes", &header);
    let read = format!("GET /notes?page_size=100 HTTP/1.1\r\nhost: a\r\n{header}\r\n");
    let kinds = vec![Slow::headers(), Slow::new("bodies", &body, " ", 10), Slow::idle(), Slow::reader(&read)];
    let quick = asks(system.resource_url("/notes?page_size=1"), Some(token));
    let told = endure((&system.resource, system.resource.http), kinds, quick).await;
    figure(format!("resource service: {told}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f32_slow_clients_of_nginx_are_cut_and_do_not_reach_the_authority() {
    let system = System::quiet().await;
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let backends = [("127.0.0.1:8080", system.auth.http), ("127.0.0.1:8082", system.auth.http)];
    // Without TLS: what is slow within it is HTTP/1.1 all the same.
    let nginx = Nginx::with("nginx/authority.conf", "127.0.0.1:8443 ssl http2", &backends, folder).await;
    // nginx counts the time between two reads of a body: a client that sends a byte now and then is kept.
    let body = half_a_body("/api/token/refresh/", "");
    let kinds = vec![Slow::headers(), Slow::new("bodies", &body, "", 10)];
    let told =
        endure((&system.auth, nginx.address), kinds, asks(format!("http://{}{KEYS}", nginx.address), None))
            .await;
    figure(format!("through nginx: {told}"));
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let refresh = system.http.post(format!("http://{}/api/token/refresh/", nginx.address));
    let refreshed = refresh.json(&json!({"refresh": pair.refresh})).send().await.unwrap();
    assert_eq!(refreshed.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f32_clients_that_do_not_begin_are_cut_at_both_grpc_listeners() {
    let system = System::quiet().await;
    for (name, service) in [("authority", &system.auth), ("resource service", &system.resource)] {
        let kinds = vec![
            Slow::new("silence", "", "", 5),
            Slow::new("half a preface", "PRI * HTTP/2", "", 5),
            Slow::new("a byte a second", "", "P", 5),
        ];
        let told = endure((service, service.grpc), kinds, asks(system.auth_url(KEYS), None)).await;
        figure(format!("{name}, gRPC: {told}"));
    }
    Protocol::Grpc.obtain(&system, USER, PASSWORD).await.expect("who begins is served");
}
