//! The way to one of several verifiers is broken, or flaps.

use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::drill::{figure, scale};
use system_tests::processes::Service;
use system_tests::protocol::unverified_header;
use system_tests::proxy::Proxy;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually};
use tokio::time::sleep;

use super::feed_faults::Cut;

/// A second verifier of a system, whose way to the authority's feeds a test can break.
struct Apart {
    service: Service,
    way: Proxy,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Apart {
    async fn start(system: &System) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let way = Proxy::to(system.auth.grpc).await;
        let mut env = system.resource_env.clone();
        env.insert("RESOURCE__DATA_DIR".to_owned(), format!("{}/data", folder.path().display()));
        env.insert("RESOURCE__AUTHORITY__GRPC_URL".to_owned(), format!("http://{}", way.address));
        env.insert("RESOURCE__LOG__LEVEL".to_owned(), "info".to_owned());
        let service = Service::start("resource-service", folder.path(), &env).await;
        let apart = Self { service, way, http: system.http.clone(), _folder: folder };
        apart.comes_to("have keys", |status, _| status == 200).await;
        apart
    }

    async fn notes(&self, token: &str) -> u16 {
        let request = self.http.get(format!("http://{}/notes", self.service.http)).bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    }

    /// Waits for what it says of itself.
    async fn comes_to(&self, what: &str, is: impl Fn(u16, &Value) -> bool) {
        eventually(what, || async {
            let ready = self.http.get(format!("http://{}/readyz", self.service.http)).send().await.unwrap();
            let status = ready.status().as_u16();
            is(status, &ready.json().await.unwrap()).then_some(())
        })
        .await;
    }

    async fn comes_to_refuse(&self, token: &str) {
        eventually("it refuses the token", || async { (self.notes(token).await == 401).then_some(()) }).await;
    }
}

#[tokio::test]
async fn f22_a_key_that_is_revoked_during_a_cut_is_refused_by_all_who_can_know_and_by_the_rest_when_it_heals()
{
    let system = System::start(Database::Sqlite).await;
    let apart = Apart::start(&system).await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    assert_eq!((system.notes_over_http(&token).await, apart.notes(&token).await), (200, 200));
    let kid = unverified_header(&token)["kid"].as_str().unwrap().to_owned();

    let cut = Cut::of(apart.way.address.port());
    let began = Instant::now();
    let _ = system.cli(&["key", "revoke", &kid]);
    let revoked = Instant::now();
    system.notes_come_to_refuse(&token).await;
    let connected = revoked.elapsed();
    assert_eq!(apart.notes(&token).await, 200, "nobody could tell it");
    apart.comes_to("say that it is stale", |_, ready| ready["authority"]["stale"] == true).await;
    let stale = began.elapsed();
    drop(cut);
    let healed = Instant::now();
    apart.comes_to_refuse(&token).await;
    let caught_up = healed.elapsed();
    let fresh = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    assert_ne!(unverified_header(&fresh)["kid"], kid.as_str());
    assert_eq!((system.notes_over_http(&fresh).await, apart.notes(&fresh).await), (200, 200));
    figure(format!(
        "the connected one refuses after {connected:.1?}; the cut one is stale after {stale:.1?} and refuses {caught_up:.1?} after it heals"
    ));
}

#[tokio::test]
async fn f25_a_feed_that_flaps_costs_no_memory_and_loses_nothing() {
    let system = System::start(Database::Sqlite).await;
    let apart = Apart::start(&system).await;
    let login = async || Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let (first, last) = (login().await, login().await);
    assert_eq!((apart.notes(&first.access).await, apart.notes(&last.access).await), (200, 200));
    let memory = [&system.auth, &apart.service].map(Service::forget_peak);

    let flaps = scale(15, 100);
    for flap in 0..flaps {
        apart.way.set_open(false);
        sleep(Duration::from_millis(200)).await;
        apart.way.set_open(true);
        sleep(Duration::from_millis(200)).await;
        if flap == flaps / 2 {
            Protocol::Http.end(&system, &first.refresh).await.unwrap();
        }
    }
    apart.way.set_open(false);
    Protocol::Http.end(&system, &last.refresh).await.unwrap();
    apart.way.set_open(true);
    let healed = Instant::now();
    apart.comes_to_refuse(&last.access).await;
    let caught_up = healed.elapsed();
    assert_eq!(apart.notes(&first.access).await, 401, "what was taken back between two cuts is known too");
    apart.comes_to("hear the authority", |_, ready| ready["authority"]["stale"] == false).await;
    let grown = [&system.auth, &apart.service].map(Service::peak_kib);
    let [authority, verifier] = [0, 1].map(|who| grown[who].saturating_sub(memory[who]) / 1024);
    assert!(authority.max(verifier) < 24, "authority +{authority} MiB, verifier +{verifier} MiB");
    figure(format!(
        "flapping: {flaps} cuts of 200 ms; what was missed is applied {caught_up:.1?} after the last; authority +{authority} MiB, verifier +{verifier} MiB"
    ));
}
