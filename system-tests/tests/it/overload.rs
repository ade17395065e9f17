//! More logins than the machine can hash: the excess is shed, everything else goes on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use signet_proto::auth::v1::ObtainPairRequest;
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use system_tests::bystander::{Bystander, Times};
use system_tests::drill::{figure, scale};
use system_tests::protocol::{as_gateway, channel};
use system_tests::system::{NOTES, PASSWORD, USER};
use system_tests::{Database, Protocol, System, on_both_databases};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::Code;
use tonic_types::StatusExt;

on_both_databases! {
    f30_a_login_flood_is_shed_and_harms_nothing_else
}

/// Connections that log in again and again, half of them over each protocol.
const CONNECTIONS: usize = 64;

/// What the hasher may hold: one hash under way and 32 that wait, with 19 MiB each.
const MOST_MEMORY_MIB: u64 = 33 * 19;

/// Times are asserted with room for a machine that does other things; what was measured is told.
const ROOM: Duration = Duration::from_secs(2);

/// A login that was answered: whether it was shed, and when.
type Login = (bool, Duration);

/// A wrong password over HTTP.
async fn over_http(http: &reqwest::Client, url: &str) -> Login {
    let form = [("username", "nobody"), ("password", "wrong")];
    let asked = Instant::now();
    let answer = http.post(url).form(&form).send().await.unwrap();
    match (answer.status().as_u16(), answer.headers().contains_key("retry-after")) {
        (401, _) => (false, asked.elapsed()),
        (503, true) => (true, asked.elapsed()),
        other => panic!("{other:?}"),
    }
}

/// The same over gRPC.
async fn over_grpc(
    client: &mut TokenServiceClient<tonic::transport::Channel>,
    call: tonic::Request<ObtainPairRequest>,
) -> Login {
    let asked = Instant::now();
    let status = client.obtain_pair(call).await.unwrap_err();
    match (status.code(), status.get_details_retry_info().is_some()) {
        (Code::Unauthenticated, _) => (false, asked.elapsed()),
        (Code::ResourceExhausted, true) => (true, asked.elapsed()),
        other => panic!("{other:?}"),
    }
}

/// Between two logins of one connection, where the flood is one that leaves the machine to the others: with it
/// they are a dozen times as many as can be hashed. Without it the callers themselves take all there is.
const PAUSE: Duration = Duration::from_millis(50);

/// Logs in over both protocols for a time: what became of each login, over HTTP and over gRPC.
async fn flood(system: &System, lasts: Duration, pause: Duration) -> [Vec<Login>; 2] {
    let until = Instant::now() + lasts;
    let (mut http, mut grpc) = (JoinSet::new(), JoinSet::new());
    for _ in 0..CONNECTIONS / 2 {
        let (client, url) = (system.http.clone(), system.auth_url("/api/token/"));
        http.spawn(async move {
            let mut logins = Vec::new();
            while Instant::now() < until {
                logins.push(over_http(&client, &url).await);
                sleep(pause).await;
            }
            logins
        });
        let mut client = TokenServiceClient::new(channel(system.auth.grpc).await);
        let wrong = ObtainPairRequest {
            username: "nobody".to_owned(),
            password: "wrong".to_owned(),
            ..ObtainPairRequest::default()
        };
        let call = as_gateway(system, ()).metadata().clone();
        grpc.spawn(async move {
            let mut logins = Vec::new();
            while Instant::now() < until {
                let mut request = tonic::Request::new(wrong.clone());
                *request.metadata_mut() = call.clone();
                logins.push(over_grpc(&mut client, request).await);
                sleep(pause).await;
            }
            logins
        });
    }
    [http.join_all().await.concat(), grpc.join_all().await.concat()]
}

/// Those whom a flood of logins must not harm.
struct Others([(&'static str, Bystander); 3]);

impl Others {
    async fn start(system: &System) -> Self {
        let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
        let http = system.http.clone();
        let (url, held) = (system.auth_url("/api/token/refresh/"), Arc::new(Mutex::new(pair.refresh)));
        let refresh = Bystander::start(move || {
            let token = held.lock().unwrap().clone();
            let (request, held) = (http.post(&url).json(&json!({"refresh": token})), Arc::clone(&held));
            async move {
                let answer = request.send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                let next: Value = answer.json().await.expect("JSON");
                next["refresh"].as_str().expect("a token").clone_into(&mut held.lock().unwrap());
            }
        });
        let (http, secret) = (system.http.clone(), system.notes_secret.clone());
        let url = system.auth_url("/oauth2/introspect");
        let introspect = Bystander::start(move || {
            let request = http.post(&url).basic_auth(NOTES, Some(&secret)).form(&[("token", &pair.access)]);
            async move { assert_eq!(request.send().await.expect("an answer").status(), 200) }
        });
        let (http, url) = (system.http.clone(), system.auth_url("/.well-known/jwks.json"));
        let keys = Bystander::start(move || {
            let request = http.get(&url);
            async move { assert_eq!(request.send().await.expect("an answer").status(), 200) }
        });
        Self([("refresh", refresh), ("introspection", introspect), ("keys", keys)])
    }

    async fn end(self) -> Vec<(&'static str, Times)> {
        let mut fared = Vec::new();
        for (what, bystander) in self.0 {
            fared.push((what, bystander.end().await));
        }
        fared
    }
}

async fn f30_a_login_flood_is_shed_and_harms_nothing_else(database: Database) {
    let settings =
        [("AUTH__PASSWORDS__THREADS", "1"), ("AUTH__LOG__LEVEL", "warn,auth_service::startup=info")];
    let system = System::with(database, &settings).await;
    let calm = Others::start(&system).await;
    sleep(scale(Duration::from_secs(1), Duration::from_secs(5))).await;
    let calm = calm.end().await;

    let busy = Others::start(&system).await;
    let memory = system.auth.forget_peak();
    let lasts = scale(Duration::from_secs(3), Duration::from_secs(20));
    let paced = flood(&system, lasts, PAUSE).await;
    let busy = busy.end().await;
    let swamped = Others::start(&system).await;
    let headlong = flood(&system, lasts, Duration::ZERO).await;
    let swamped = swamped.end().await;
    let rise = system.auth.peak_kib().saturating_sub(memory) / 1024;

    assert!(rise <= MOST_MEMORY_MIB, "{rise} MiB");
    let mut told = vec![format!("memory +{rise} MiB")];
    told.extend(shed_in_time("64 loops that pause", paced, lasts));
    for ((what, calm), (_, busy)) in calm.iter().zip(&busy) {
        let (before, during) = (calm.percentile(99), busy.percentile(99));
        assert!(during < ROOM, "{what}: {busy}");
        told.push(format!("{what} p99 {during:.1?} (unloaded {before:.1?})"));
    }
    told.extend(shed_in_time("64 loops that do not", headlong, lasts));
    for (what, swamped) in &swamped {
        assert!(swamped.percentile(99) < ROOM, "{what}: {swamped}");
        told.push(format!("{what} p99 {:.1?}", swamped.percentile(99)));
    }
    figure(told.join("; "));
}

/// Some logins were evaluated, and the others told to come back, soon.
fn shed_in_time(how: &str, logins: [Vec<Login>; 2], lasts: Duration) -> Vec<String> {
    let mut told = Vec::new();
    for (protocol, logins) in ["HTTP", "gRPC"].iter().zip(logins) {
        let shed: Vec<Duration> = logins.iter().filter(|(shed, _)| *shed).map(|(_, took)| *took).collect();
        let answered = logins.len() - shed.len();
        assert!(answered > 0 && !shed.is_empty(), "{protocol}: {answered} answered, {} shed", shed.len());
        let (count, shed) = (shed.len(), Times::of(shed));
        assert!(shed.percentile(50) < ROOM, "{protocol}: {shed}");
        let (p50, p99, max) = (shed.percentile(50), shed.percentile(99), shed.percentile(100));
        let rate = logins.len() as u64 / lasts.as_secs().max(1);
        told.push(format!(
            "{how}, {protocol}: {rate} a second, {answered} answered, {count} shed in {p50:.1?} (p99 {p99:.1?}, max {max:.1?})"
        ));
    }
    told
}
