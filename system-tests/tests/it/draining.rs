//! A process that is told to stop says so first, and nobody loses a request by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use signet_proto::auth::v1::WatchRevocationsRequest;
use signet_proto::auth::v1::revocation_service_client::RevocationServiceClient;
use system_tests::drill::{figure, scale};
use system_tests::protocol::{channel, with_basic};
use system_tests::replicas::Replicas;
use system_tests::system::{NOTES, PASSWORD, USER, cli};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};
use tokio::task::JoinSet;
use tonic::Code;
use tonic_types::StatusExt;

use super::feeds::{certificates, watch_keys};
use super::gateway::Nginx;

on_both_databases! {
    f35_a_rolling_restart_behind_nginx_loses_no_request
}

#[tokio::test]
async fn f35_a_replica_that_stops_is_not_ready_first_and_serves_anyone_who_comes_meanwhile() {
    let system = System::with(Database::Sqlite, &[("AUTH__DRAIN_DELAY", "3s")]).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let (_say, mut keys) = watch_keys(&system).await;
    keys.message().await.unwrap().expect("the key set");
    system.auth.signal(Signal::TERM);
    let status = loop {
        match keys.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the feed ends without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some(), "with the hint when to come again: {status:?}");

    let ready = system.http.get(system.auth_url("/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["missing"], "this replica is about to stop");
    let refreshed = system.http.post(system.auth_url("/api/token/refresh/"));
    let refreshed = refreshed.json(&json!({"refresh": pair.refresh})).send().await.unwrap();
    assert_eq!(refreshed.status(), 200, "it still serves");
    assert_eq!(refreshed.headers()["connection"], "close", "and lets nobody come back");
    let System { mut auth, .. } = system;
    assert_eq!(auth.ended().await.code(), Some(0));
    figure("not ready first, served meanwhile, streams ended with a hint, exit 0");
}

#[tokio::test]
async fn f35_a_second_signal_ends_the_process_at_once() {
    let system = System::with(Database::Sqlite, &[("AUTH__DRAIN_DELAY", "60s")]).await;
    let System { mut auth, http, .. } = system;
    auth.signal(Signal::TERM);
    let url = format!("http://{}/readyz", auth.http);
    eventually("it drains", || async { (http.get(&url).send().await.ok()?.status() == 503).then_some(()) })
        .await;
    let told = Instant::now();
    auth.signal(Signal::TERM);
    assert_eq!(auth.ended().await.code(), Some(130));
    let took = told.elapsed();
    assert!(took < Duration::from_secs(5));
    figure(format!("a second SIGTERM: ended after {took:.0?}"));
}

/// Feeds that share a connection here; those of a verifier are two.
const ON_ONE_CONNECTION: usize = 20;

#[tokio::test]
async fn f35_every_open_feed_is_told_to_come_again_and_the_end_waits_for_none_of_them() {
    let count = scale(100, 1000);
    let System { mut auth, notes_secret, folder: _folder, .. } =
        System::with(Database::Sqlite, &[("AUTH__LOG__LEVEL", "info")]).await;
    let mut feeds = JoinSet::new();
    for _ in 0..count / ON_ONE_CONNECTION {
        let client = RevocationServiceClient::new(channel(auth.grpc).await);
        for _ in 0..ON_ONE_CONNECTION {
            let request = with_basic(WatchRevocationsRequest::default(), NOTES, &notes_secret);
            let mut updates = client.clone().watch(request).await.unwrap().into_inner();
            feeds.spawn(async move {
                loop {
                    match updates.message().await {
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("the feed ends without a word"),
                        Err(status) => return status,
                    }
                }
            });
        }
    }
    let told = Instant::now();
    auth.signal(Signal::TERM);
    for status in feeds.join_all().await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(status.get_details_retry_info().is_some(), "with the hint when to come again: {status:?}");
    }
    let all_told = told.elapsed();
    assert_eq!(auth.ended().await.code(), Some(0));
    let ended = told.elapsed();
    assert!(ended < Duration::from_secs(30), "{ended:?}");
    figure(format!(
        "{count} open feeds: all told with a hint after {all_told:.1?}, exit 0 after {ended:.1?}"
    ));
}

/// Callers behind nginx, who must not notice anything.
pub struct Callers {
    pub base: String,
    pub client: reqwest::Client,
    nginx: Nginx,
    tally: Arc<Tally>,
    loops: JoinSet<()>,
}

/// What the callers met.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Callers {
    /// One for each refresh token.
    pub async fn begin(backends: &[(&str, SocketAddr)], tokens: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let ca = std::fs::read(folder.path().join("ca.crt")).unwrap();
        let nginx = Nginx::with("nginx/authority.conf", "127.0.0.1:8443", backends, folder).await;
        let client = reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .build()
            .unwrap();
        let base = format!("https://{}", nginx.address);
        let (tally, mut loops) = (Arc::new(Tally::default()), JoinSet::new());
        for token in tokens {
            loops.spawn(refresh_in_a_loop(client.clone(), base.clone(), token, Arc::clone(&tally)));
        }
        Self { base, client, nginx, tally, loops }
    }

    /// Waits for more answers, of which none may be a failure.
    pub async fn go_on(&self, when: &str) {
        let before = self.tally.answered.load(Ordering::Relaxed);
        let more = scale(50, 500);
        eventually(&format!("there is traffic {when}"), || async {
            self.assert_well(when);
            (self.tally.answered.load(Ordering::Relaxed) > before + more).then_some(())
        })
        .await;
    }

    /// How often they were answered; nginx stays.
    pub async fn end(&mut self) -> u64 {
        self.tally.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.loops.join_next().await {
            ended.unwrap();
        }
        self.assert_well("at the end");
        self.tally.answered.load(Ordering::Relaxed)
    }

    fn assert_well(&self, when: &str) {
        let failures = self.tally.failures.lock().unwrap().clone();
        assert_eq!(failures, Vec::<String>::new(), "{when}: {}", self.nginx.complaints());
    }
}

/// A caller that refreshes, again and again, each time with what the last answer gave it.
async fn refresh_in_a_loop(client: reqwest::Client, base: String, mut token: String, tally: Arc<Tally>) {
    while !tally.over.load(Ordering::Relaxed) {
        let request = client.post(format!("{base}/api/token/refresh/")).json(&json!({"refresh": token}));
        let outcome = match request.send().await {
            Ok(answer) if answer.status() == 200 => answer.json::<Value>().await.map_err(|e| e.to_string()),
            Ok(answer) => Err(format!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(body) => {
                body["refresh"].as_str().unwrap().clone_into(&mut token);
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(why) => return tally.failures.lock().unwrap().push(why),
        }
    }
}

async fn f35_a_rolling_restart_behind_nginx_loses_no_request(database: Database) {
    let mut replicas = Replicas::start(database, &[("AUTH__DRAIN_DELAY", "1s")]).await;
    let backends =
        [("127.0.0.1:8080", replicas.services[0].http), ("127.0.0.1:8082", replicas.services[1].http)];
    let mut tokens = Vec::new();
    for _ in 0..8 {
        tokens.push(replicas.obtain(0, USER, PASSWORD).await.1);
    }
    let mut callers = Callers::begin(&backends, tokens).await;
    let restarts = scale(4, 10);
    for replica in (0..restarts).map(|restart| restart % 2) {
        callers.go_on("before a restart").await;
        assert_eq!(replicas.restart(replica, Signal::TERM).await.code(), Some(0));
        // As an operator would: the next one only when nginx has noticed that this one is back.
        eventually("the replica that is back takes traffic", || async {
            let metrics = replicas.services[replica].metrics_text().await;
            metrics.contains("route=\"/api/token/refresh/\"").then_some(())
        })
        .await;
    }
    let answered = callers.end().await;
    figure(format!("{restarts} restarts behind nginx, {answered} refreshes, 0 failed"));
    let (client, base) = (&callers.client, &callers.base);
    let ready = client.get(format!("{base}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 404, "the readiness of one replica says nothing of the cluster");
    let jwks = client.get(format!("{base}/.well-known/jwks.json")).send().await.unwrap();
    let jwks: Value = jwks.json().await.unwrap();
    let keys = cli(replicas.folder.path(), &replicas.env, &["key", "list"], "");
    assert_eq!(jwks["keys"][0]["kid"], keys[0]["kid"]);
}
