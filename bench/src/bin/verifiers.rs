//! Many verifiers of one authority in one process, each with a connection and both feeds: how long a
//! revocation takes to the last of them, a burst, a million entries, and all of them coming back at once.
//!
//! `verifiers [VERIFIERS] [REVOCATIONS]`: 1000 and 50 by default. Prints one line of JSON for each figure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use rustix::process::Signal;
use serde_json::json;
use shared_claims::Authority;
use shared_claims::clock::unix_now;
use shared_claims::revocations::{Fingerprints, RevocationEntry, RevocationsWriter, Target};
use shared_claims::{AccessClaims, Verifier};
use system_tests::database::open_sqlite;
use system_tests::protocol::Protocol;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, System};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const ISSUER: &str = "https://auth.test";
const BURST: usize = 10_000;
const MILLION: usize = 1_000_000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let verifiers = arguments.next().unwrap_or(1000);
    let revocations = arguments.next().unwrap_or(50);
    let mut system =
        System::with(Database::Sqlite, &[("AUTH__LOG__LEVEL", "warn,auth_service::startup=info")]).await;
    system.resource.signal(Signal::TERM);

    let stop = CancellationToken::new();
    let begun = Instant::now();
    let mut all = Vec::with_capacity(verifiers);
    for _ in 0..verifiers {
        all.push(Authority::start(system.verifier_settings(), stop.clone()).expect("it starts"));
    }
    until_all(&all, |verifier| verifier.freshness().is_within(Duration::from_secs(2))).await;
    say(
        "connect",
        &json!({"verifiers": verifiers, "all_in_ms": ms(begun.elapsed()), "authority_mib": mib(&system)}),
    );

    one_by_one(&system, &all, revocations).await;
    burst(&system, &all).await;
    come_back(&mut system, &all).await;
    stop.cancel();
    drop(all);
    a_million(&mut system).await;
}

fn claims_of(verifier: &Authority, token: &str) -> AccessClaims {
    Verifier::new(ISSUER, "notes").verify(token, &verifier.trust().keys, unix_now()).expect("a true token")
}

/// From the answer that a session has ended to each verifier that refuses its token.
async fn one_by_one(system: &System, all: &[Arc<Authority>], revocations: usize) {
    let mut pairs = Vec::new();
    for _ in 0..revocations {
        pairs.push(Protocol::Http.obtain(system, USER, PASSWORD).await.expect("a login"));
    }
    let (mut each, mut last) = (Vec::new(), Vec::new());
    for pair in pairs {
        let claims = claims_of(&all[0], &pair.access);
        Protocol::Http.end(system, &pair.refresh).await.expect("it ends");
        let answered = Instant::now();
        let mut waiting: Vec<&Arc<Authority>> = all.iter().collect();
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|verifier| !verifier.trust().revocations.matches(&claims));
            let now = answered.elapsed();
            each.extend(std::iter::repeat_n(now, before - waiting.len()));
            // The verifiers' own work is done on the same cores.
            tokio::task::yield_now().await;
        }
        last.push(answered.elapsed());
    }
    say("revocation to a verifier", &quantiles(&mut each));
    say("revocation to the last verifier", &quantiles(&mut last));
}

async fn burst(system: &System, all: &[Arc<Authority>]) {
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let mut tokens = Vec::new();
    for _ in 0..BURST {
        tokens.push(Protocol::Http.client_token(system, credentials, ("", "")).await.expect("a token"));
    }
    let claims: Vec<AccessClaims> = tokens.iter().map(|token| claims_of(&all[0], token)).collect();
    let begun = Instant::now();
    let mut revoking = JoinSet::new();
    for chunk in tokens.chunks(BURST.div_ceil(64)) {
        let (http, url, secret) =
            (system.http.clone(), system.auth_url("/oauth2/revoke"), system.gateway_secret.clone());
        let chunk = chunk.to_vec();
        revoking.spawn(async move {
            for token in chunk {
                let request = http.post(&url).basic_auth(GATEWAY, Some(&secret)).form(&[("token", &token)]);
                assert_eq!(request.send().await.expect("an answer").status(), 200);
            }
        });
    }
    revoking.join_all().await;
    let answered = Instant::now();
    until_all(all, |verifier| claims.iter().all(|claims| verifier.trust().revocations.matches(claims))).await;
    say(
        "burst",
        &json!({
            "revocations": BURST, "verifiers": all.len(), "answered_in_ms": ms(answered - begun),
            "then_to_the_last_verifier_ms": ms(answered.elapsed()), "authority_mib": mib(system),
        }),
    );
}

/// The authority is killed and started again: when everybody is back, and what it took.
async fn come_back(system: &mut System, all: &[Arc<Authority>]) {
    system.auth.signal(Signal::KILL);
    tokio::time::sleep(Duration::from_secs(5)).await;
    system.restart_auth().await;
    let begun = Instant::now();
    let (mut most, mut back) = (0.0_f64, Vec::new());
    let mut away: Vec<&Arc<Authority>> = all.iter().collect();
    while !away.is_empty() {
        let before = away.len();
        away.retain(|verifier| !verifier.freshness().is_within(Duration::from_secs(2)));
        back.extend(std::iter::repeat_n(begun.elapsed(), before - away.len()));
        most = most.max(mib(system));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut figures = quantiles(&mut back);
    figures["authority_mib_at_most"] = json!(most);
    say("come back", &figures);
}

async fn a_million(system: &mut System) {
    system.auth.signal(Signal::TERM);
    system.auth.ended().await;
    let path = system.folder.path().join("signet.db");
    let mut database = open_sqlite(path.to_str().expect("a path"));
    let expires_at = (unix_now() + 3600) * 1000;
    database
        .batch_execute(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MILLION})
             INSERT INTO revocations (seq, kind, id, expires_at)
             SELECT (SELECT value FROM counters WHERE name = 'revocations') + i, 'session',
                 lower(hex(randomblob(16))), {expires_at} FROM n;
             UPDATE counters SET value = value + {MILLION} WHERE name = 'revocations';"
        ))
        .expect("a million rows");
    drop(database);
    let begun = Instant::now();
    system.restart_auth().await;
    say("a million entries: authority", &json!({"start_ms": ms(begun.elapsed()), "mib": mib(system)}));

    let before = own_mib();
    let (begun, stop) = (Instant::now(), CancellationToken::new());
    let verifier = Authority::start(system.verifier_settings(), stop.clone()).expect("it starts");
    until_all(std::slice::from_ref(&verifier), |verifier| {
        verifier.freshness().is_within(Duration::from_secs(2))
    })
    .await;
    say(
        "a million entries: snapshot",
        &json!({"ms": ms(begun.elapsed()), "verifier_mib": own_mib() - before}),
    );
    let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.expect("a login");
    let claims = claims_of(&verifier, &pair.access);
    Protocol::Http.end(system, &pair.refresh).await.expect("it ends");
    let answered = Instant::now();
    until_all(std::slice::from_ref(&verifier), |verifier| verifier.trust().revocations.matches(&claims))
        .await;
    say("a million entries: one more", &json!({"ms": ms(answered.elapsed())}));
    stop.cancel();

    let mut writer = RevocationsWriter::new(Fingerprints::with_key([7; 16]));
    let ids: Vec<String> = (0..MILLION).map(|number| format!("{number:032x}")).collect();
    writer
        .apply(ids.iter().map(|id| RevocationEntry { target: Target::Session(id), expires_at: u64::MAX }), 0);
    let (set, mut miss) = (writer.readers(), claims.clone());
    let begun = Instant::now();
    let mut hits = 0;
    for id in &ids {
        miss.jti.clone_from(id);
        hits += usize::from(set.matches(&miss));
    }
    let each = begun.elapsed().as_nanos() as f64 / MILLION as f64;
    say(
        "a million entries: question",
        &json!({
            "ns": each, "bytes_an_entry": writer.bytes() as f64 / writer.len() as f64, "hits": hits,
            "of": "a token with jti and sid, neither in the set, each time another",
        }),
    );
}

async fn until_all(all: &[Arc<Authority>], holds: impl Fn(&Authority) -> bool) {
    let given_up = Instant::now() + Duration::from_secs(120);
    let mut waiting: Vec<&Arc<Authority>> = all.iter().collect();
    while !waiting.is_empty() {
        waiting.retain(|verifier| !holds(verifier));
        assert!(Instant::now() < given_up, "{} verifiers are still waiting", waiting.len());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn say(what: &str, figures: &serde_json::Value) {
    println!("{}", json!({"what": what, "figures": figures}));
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

fn mib(system: &System) -> f64 {
    system.auth.resident_kib() as f64 / 1024.0
}

fn own_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

fn quantiles(times: &mut [Duration]) -> serde_json::Value {
    times.sort_unstable();
    let at = |share: f64| ms(times[((times.len() - 1) as f64 * share) as usize]);
    json!({"n": times.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)})
}
