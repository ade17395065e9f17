//! The way between verifier and authority is broken: nobody pays for it, and nothing is forgotten.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use notes_proto::v1::CreateNoteRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use rustix::process::Signal;
use serde_json::json;
use shared_claims::Authority;
use shared_claims::Verifier;
use shared_claims::clock::unix_now;
use system_tests::drill::{figure, scale};
use system_tests::processes::{Service, hold};
use system_tests::protocol::channel;
use system_tests::system::{GATEWAY, PASSWORD, USER, follow_by_feed, resource_env};
use system_tests::{Database, Protocol, System, eventually, eventually_within};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// Requests that go on until told to stop; each must be served.
fn traffic(address: SocketAddr, token: String, stop: Arc<AtomicBool>) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let (http, mut served) = (reqwest::Client::new(), 0);
        while !stop.load(Ordering::Relaxed) {
            let request = http.get(format!("http://{address}/notes")).bearer_auth(&token);
            let status = request.send().await.expect("an answer").status();
            assert_eq!(status, 200, "a true token was refused after {served}");
            served += 1;
        }
        served
    })
}

#[tokio::test]
async fn f21_an_authority_that_is_away_for_a_minute_costs_nobody_a_request() {
    // Longer than the authority is away: an expired token is refused by right.
    let mut system = System::with(Database::Sqlite, &[("AUTH__TOKENS__ACCESS_TTL", "30m")]).await;
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
    let revoked = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    Protocol::Http.end(&system, &revoked.refresh).await.unwrap();
    system.notes_come_to_refuse(&revoked.access).await;
    let folder = tempfile::tempdir().unwrap();
    let mut env = resource_env(&system.auth, folder.path());
    follow_by_feed(&mut env, &system.auth, &system.notes_secret);
    let mut other = Service::start("resource-service", folder.path(), &env).await;
    let get = |address: SocketAddr, token: String| {
        let request = system.http.get(format!("http://{address}/notes")).bearer_auth(token);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    eventually("the other one has all that there is, and has saved it", || async {
        let known = get(other.http, revoked.access.clone()).await == 401
            && get(other.http, token.clone()).await == 200;
        let saved = folder.path().join("resource/authority.state").exists();
        (known && saved).then_some(())
    })
    .await;

    let stop = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> =
        (0..4).map(|_| traffic(system.resource.http, token.clone(), Arc::clone(&stop))).collect();
    system.auth.signal(Signal::KILL);
    let outage = scale(Duration::from_secs(60), Duration::from_secs(600));
    let away = Instant::now();
    other.signal(Signal::KILL);
    other.ended().await;
    let restarted = Instant::now();
    let other = Service::start("resource-service", folder.path(), &env).await;
    assert_eq!(get(other.http, token.clone()).await, 200, "it starts from what it had saved");
    let ready = restarted.elapsed();
    assert_eq!(get(other.http, revoked.access.clone()).await, 401, "and has forgotten nothing");

    let (http, notes) = (system.http.clone(), system.resource_url("/notes"));
    let write = || async {
        let request = http.post(&notes).bearer_auth(&token).json(&json!({"text": "hello"}));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(write().await, 201, "what is known is fresh enough to write");
    eventually("it says that it is stale", || async {
        system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| *stale)
    })
    .await;
    // The policies of the routes part when what is known is older than a minute.
    while away.elapsed() < outage || write().await == 201 {
        assert!(away.elapsed() < outage * 2, "writing goes on for ever");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(write().await, 503);
    let mut grpc = NotesServiceClient::new(channel(system.resource.grpc).await);
    let mut call = tonic::Request::new(CreateNoteRequest { text: "hello".to_owned() });
    call.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(grpc.create_note(call).await.unwrap_err().code(), Code::Unavailable);
    assert!(system.notes_accept(&token).await, "reading goes on over both protocols");

    system.restart_auth().await;
    eventually("it is heard again", || async {
        system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| !stale)
    })
    .await;
    assert_eq!(write().await, 201);
    stop.store(true, Ordering::Relaxed);
    let mut served = 0;
    for load in loads {
        served += load.await.unwrap();
    }
    assert!(served > 4000, "there was no traffic");
    figure(format!(
        "{outage:.0?} away: {served} of {served} requests served; a restarted verifier serves after {ready:.1?}"
    ));
}

/// Drops every packet to and from a port of this machine, without a word to either side.
pub struct Cut {
    rules: Vec<Vec<String>>,
}

impl Cut {
    pub fn of(port: u16) -> Self {
        let rule = |chain: &str, which: &str| {
            let text = format!("{chain} -i lo -p tcp {which} {port} -j DROP");
            text.split(' ').map(str::to_owned).collect::<Vec<_>>()
        };
        let rules = vec![rule("INPUT", "--dport"), rule("INPUT", "--sport")];
        rules.iter().for_each(|rule| iptables("-A", rule));
        Self { rules }
    }
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.rules.iter().for_each(|rule| iptables("-D", rule));
    }
}

fn iptables(what: &str, rule: &[String]) {
    let run = Command::new("iptables").arg("-w").arg(what).args(rule).output();
    let run = run.expect("no iptables: apt-get install iptables");
    assert!(run.status.success(), "iptables needs root: {}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn f25_a_feed_that_is_cut_in_silence_is_noticed_and_what_was_missed_arrives_when_it_heals() {
    let system = System::start(Database::Sqlite).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    assert!(system.notes_accept(&pair.access).await);
    let cut = Cut::of(system.auth.grpc.port());
    let began = Instant::now();
    eventually("it is noticed, though no connection was closed", || async {
        system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| *stale)
    })
    .await;
    let noticed = began.elapsed();
    eventually("the operator is told", || async {
        let log = system.resource.log();
        (log.contains("the authority is silent") && log.contains("stale: ")).then_some(())
    })
    .await;
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    assert_eq!(system.notes_over_http(&pair.access).await, 200, "nobody could tell it");
    drop(cut);
    let healed = Instant::now();
    system.notes_come_to_refuse(&pair.access).await;
    let caught_up = healed.elapsed();
    eventually("it is heard again", || async {
        system.health_of_resource().await["authority"]["stale"].as_bool().filter(|stale| !stale)
    })
    .await;
    figure(format!(
        "half-open: stale after {noticed:.1?}; what was missed is applied {caught_up:.1?} after it heals"
    ));
}

#[tokio::test]
async fn a_damaged_saved_state_is_told_of_and_left_out() {
    let mut system = System::start(Database::Sqlite).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let ended = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    Protocol::Http.end(&system, &ended.refresh).await.unwrap();
    system.notes_come_to_refuse(&ended.access).await;
    let state = system.folder.path().join("resource/authority.state");
    eventually("it is saved", || async { state.exists().then_some(()) }).await;
    system.resource.signal(Signal::TERM);
    system.resource.ended().await;
    system.auth.signal(Signal::KILL);
    system.auth.ended().await;
    let _nobody_else = [hold(system.auth.http), hold(system.auth.grpc)];
    let whole = std::fs::read(&state).unwrap();
    let middle = whole.len() / 2;
    let mut other_entry = whole.clone();
    // In the one entry that there is, which any bytes could be, in front of the checksum.
    other_entry[whole.len() - 32 - 12] ^= 1;
    for damaged in [
        other_entry,
        whole[..middle].to_vec(),
        [&whole[..middle], b"x", &whole[middle + 1..]].concat(),
        vec![],
    ] {
        std::fs::write(&state, damaged).unwrap();
        let resource = Service::start("resource-service", system.folder.path(), &system.resource_env).await;
        let ready = system.http.get(format!("http://{}/readyz", resource.http)).send().await.unwrap();
        assert_eq!(ready.status(), 503, "nothing is believed of it");
        assert!(resource.log().contains("saved state cannot be used"), "the operator is told");
        resource.stop().await;
    }
    std::fs::write(&state, whole).unwrap();
    system.resource = Service::start("resource-service", system.folder.path(), &system.resource_env).await;
    assert!(system.notes_accept(&pair.access).await && !system.notes_accept(&ended.access).await);
}

/// Longest wait for thousands of verifiers, which share a core or two with their authority.
const MANY: Duration = Duration::from_secs(120);

/// Many verifiers in this process lose their authority at one moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_a_thousand_verifiers_come_back_after_a_kill_and_the_authority_stays_small() {
    let mut system =
        System::with(Database::Sqlite, &[("AUTH__LOG__LEVEL", "warn,auth_service::startup=info")]).await;
    let stop = CancellationToken::new();
    let settings = system.verifier_settings();
    // Four thousand have more heartbeats than two cores send in debug builds; `bench` has ten thousand of a release.
    let count = scale(1000, 2000);
    let start = |_| Authority::start(settings.clone(), stop.clone()).unwrap();
    let started = Instant::now();
    let verifiers: Vec<Arc<Authority>> = (0..count).map(start).collect();
    let _stop = stop.drop_guard();
    // Not all at one moment: a machine that is busy with them receives some of them late.
    let heard_since = |moment: Instant| {
        let since =
            |verifier: &&Arc<Authority>| verifier.freshness().age().is_some_and(|age| age < moment.elapsed());
        verifiers.iter().filter(since).count()
    };
    eventually_within(MANY, "all are connected", || async { (heard_since(started) == count).then_some(()) })
        .await;
    let before = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();

    system.auth.signal(Signal::KILL);
    system.auth.ended().await;
    let lost = Instant::now();
    eventually("all have noticed", || async {
        (heard_since(lost) == 0 && lost.elapsed() > Duration::from_secs(3)).then_some(())
    })
    .await;
    system.restart_auth().await;
    let back = Instant::now();
    eventually_within(MANY, "all are back", || async { (heard_since(back) == count).then_some(()) }).await;
    let returned = back.elapsed();
    let resident = system.auth.resident_kib() / 1024;
    assert!(resident < 300, "the authority holds {resident} MiB");

    let claims = {
        let trust = verifiers[0].trust();
        Verifier::new("https://auth.test", "notes").verify(&before.access, &trust.keys, unix_now()).unwrap()
    };
    Protocol::Http.end(&system, &before.refresh).await.unwrap();
    eventually_within(MANY, "all are told", || async {
        verifiers.iter().all(|verifier| verifier.trust().revocations.matches(&claims)).then_some(())
    })
    .await;
    figure(format!("{count} verifiers back {returned:.1?} after the authority; it holds {resident} MiB"));
}
