//! Everything at once, at random: clients that log in, refresh, retry, replay and end sessions at two replicas and use
//! their tokens at two verifiers, while an operator rotates and revokes keys, and processes are killed, frozen and
//! restarted. What happened is then held against the promises. The seed is printed; `SIGNET_SEED` repeats its choices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use signet_proto::auth::v1::WatchRevocationsRequest;
use signet_proto::auth::v1::revocation_service_client::RevocationServiceClient;
use system_tests::database::{admin, name_of, sessions, setting};
use system_tests::dice::Dice;
use system_tests::drill::{figure, scale};
use system_tests::history::{Act, Audience, Outcome, Recorder, check, longest_acceptance};
use system_tests::processes::{Env, Service, run};
use system_tests::protocol::{unverified_claims, unverified_header, with_basic};
use system_tests::replicas::Replicas;
use system_tests::system::{NOTES, PASSWORD, USER, WATCH, cli, follow_by_feed, resource_env};
use system_tests::{Database, on_both_databases};
use tonic::transport::Endpoint;

on_both_databases! {
    r01_a_random_run_with_faults_keeps_every_promise
}

const CLIENTS: u64 = 6;
/// Longer than any fault, so that a retry is never taken for reuse.
const GRACE: Duration = Duration::from_secs(60);
/// The promise is a second; the machine is shared, and a verifier may have lost its connection.
const BOUND: Duration = Duration::from_secs(5);

/// What the clients know.
#[derive(Clone)]
struct World {
    http: reqwest::Client,
    replicas: [String; 2],
    verifiers: [String; 2],
    /// `client_id` and `client_secret` of one whose tokens are for someone else.
    foreigner: (String, String),
    recorder: Recorder,
    over: Arc<AtomicBool>,
}

struct Life {
    session: String,
    generation: u64,
    refresh: String,
    first: String,
    access: String,
}

impl World {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn post(&self, replica: usize, path: &str, body: Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.replicas[replica])).json(&body);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    async fn login(&self, dice: &mut Dice) -> Option<Life> {
        let body = json!({"username": USER, "password": PASSWORD});
        let (status, pair) = self.post(dice.below(2), "/api/token/", body).await?;
        if status != 200 {
            assert!([429, 503].contains(&status), "a login was answered {status}: {pair}");
            return None;
        }
        let refresh = pair["refresh"].as_str()?.to_owned();
        let session = unverified_claims(&refresh)["sid"].as_str()?.to_owned();
        let access = pair["access"].as_str()?.to_owned();
        Some(Life { session, generation: 0, first: refresh.clone(), refresh, access })
    }

    /// Presents a refresh token: the successor with an access token, and what is noted of it.
    async fn refresh(
        &self,
        replica: usize,
        session: &str,
        (token, generation): (&str, u64),
    ) -> (Outcome, Option<(String, String)>) {
        let begun = self.recorder.now();
        let answer = self.post(replica, "/api/token/refresh/", json!({"refresh": token})).await;
        let (outcome, pair) = match answer {
            Some((200, pair)) => {
                let text = |name: &str| pair[name].as_str().expect("a token").to_owned();
                let (access, refresh) = (text("access"), text("refresh"));
                let generation = unverified_claims(&refresh)["gen"].as_u64().expect("a generation");
                (Outcome::Pair { refresh: refresh.clone(), generation }, Some((refresh, access)))
            }
            Some((401, _)) => (Outcome::No, None),
            Some((503, _)) | None => (Outcome::Unknown, None),
            Some((other, body)) => panic!("a refresh was answered {other}: {body}"),
        };
        let act = Act::Refresh { session: session.to_owned(), generation };
        self.recorder.answered(begun, act, outcome.clone());
        (outcome, pair)
    }

    /// Ends a session, however often that must be asked.
    async fn end(&self, life: &Life, dice: &mut Dice) {
        while !self.is_over() {
            let begun = self.recorder.now();
            let answer =
                self.post(dice.below(2), "/api/token/blacklist/", json!({"refresh": life.refresh})).await;
            let outcome = match answer {
                Some((200, _)) => Outcome::Yes,
                Some((503, _)) | None => Outcome::Unknown,
                // It is over already: an earlier try was answered by nobody.
                Some((401, _)) => Outcome::No,
                Some((other, body)) => panic!("a blacklisting was answered {other}: {body}"),
            };
            self.recorder.answered(begun, Act::End { session: life.session.clone() }, outcome.clone());
            if outcome != Outcome::Unknown {
                return;
            }
        }
    }

    /// Presents an access token to a verifier: whether it was taken.
    async fn use_token(
        &self,
        verifier: usize,
        (session, access): (&str, &str),
        audience: Audience,
    ) -> Outcome {
        let begun = self.recorder.now();
        let request = self.http.get(format!("{}/notes", self.verifiers[verifier])).bearer_auth(access);
        let outcome = match request.send().await.map(|answer| answer.status().as_u16()) {
            Ok(200) => Outcome::Yes,
            Ok(401) => Outcome::No,
            Ok(503) | Err(_) => Outcome::Unknown,
            Ok(other) => panic!("a verifier answered {other}"),
        };
        let kid = unverified_header(access)["kid"].as_str().expect("a kid").to_owned();
        let act = Act::Use { verifier, session: session.to_owned(), kid, audience };
        self.recorder.answered(begun, act, outcome.clone());
        outcome
    }

    async fn foreign_token(&self, replica: usize) -> Option<String> {
        let (id, secret) = &self.foreigner;
        let request = self.http.post(format!("{}/oauth2/token", self.replicas[replica]));
        let request = request.basic_auth(id, Some(secret)).form(&[("grant_type", "client_credentials")]);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        answer["access_token"].as_str().map(str::to_owned)
    }
}

/// One client: a session after the other, each lived and left in a way that the dice choose.
async fn live(world: World, mut dice: Dice) {
    while !world.is_over() {
        let Some(mut life) = world.login(&mut dice).await else { continue };
        let steps = 5 + dice.below(40);
        for _ in 0..steps {
            if world.is_over() || !step(&world, &mut life, &mut dice).await {
                break;
            }
        }
        match dice.below(3) {
            0 => {
                world.end(&life, &mut dice).await;
                let _ = world.refresh(dice.below(2), &life.session, (&life.refresh, life.generation)).await;
                for verifier in 0..2 {
                    let token = (life.session.as_str(), life.access.as_str());
                    while world.use_token(verifier, token, Audience::Own).await == Outcome::Yes
                        && !world.is_over()
                    {}
                }
            }
            1 => {
                let _ = world.refresh(dice.below(2), &life.session, (&life.first, 0)).await;
                let _ = world.refresh(dice.below(2), &life.session, (&life.refresh, life.generation)).await;
            }
            _ => {}
        }
    }
}

/// One thing that a client does: whether the session goes on.
async fn step(world: &World, life: &mut Life, dice: &mut Dice) -> bool {
    let presented = (life.refresh.clone(), life.generation);
    let presented = (presented.0.as_str(), presented.1);
    let answers = match dice.below(10) {
        0..=4 => vec![world.refresh(dice.below(2), &life.session, presented).await],
        // A client that does not know whether its request arrived, or runs in two tabs.
        5 => {
            let (one, other) = tokio::join!(
                world.refresh(0, &life.session, presented),
                world.refresh(1, &life.session, presented)
            );
            vec![one, other]
        }
        6 => {
            if let Some(token) = world.foreign_token(dice.below(2)).await {
                let _ = world.use_token(dice.below(2), ("", &token), Audience::Foreign).await;
            }
            return true;
        }
        _ => {
            let token = (life.session.as_str(), life.access.as_str());
            let _ = world.use_token(dice.below(2), token, Audience::Own).await;
            return true;
        }
    };
    let mut refused = false;
    for (outcome, pair) in answers {
        refused |= outcome == Outcome::No;
        if let (Outcome::Pair { generation, .. }, Some((refresh, access))) = (outcome, pair) {
            (life.generation, life.refresh, life.access) = (generation, refresh, access);
        }
    }
    !refused
}

/// Follows the statements of a replica, and says which of them leave something out.
async fn follow(address: std::net::SocketAddr, secret: String, over: Arc<AtomicBool>) -> Vec<String> {
    let (mut held, mut gaps) = ((0, 0), Vec::new());
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let endpoint = endpoint.connect_timeout(Duration::from_secs(1));
    while !over.load(Ordering::Relaxed) {
        let Ok(channel) = endpoint.connect().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let asked = WatchRevocationsRequest { epoch: held.0, after_seq: held.1 };
        let call = with_basic(asked, NOTES, &secret);
        let Ok(updates) = RevocationServiceClient::new(channel).watch(call).await else { continue };
        let mut updates = updates.into_inner();
        let mut said = held;
        while let Ok(Ok(Some(update))) = tokio::time::timeout(Duration::from_secs(3), updates.message()).await
        {
            let continues = match update.epoch == said.0 {
                true => update.after_seq <= said.1,
                false => update.epoch > said.0 && update.after_seq == 0,
            };
            if !continues {
                gaps.push(format!(
                    "after {said:?} came {} {}..{}",
                    update.epoch, update.after_seq, update.seq
                ));
            }
            said = (update.epoch, update.seq);
            held = held.max(said);
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
    }
    gaps
}

/// What breaks, one after the other.
struct Nemesis {
    replicas: Replicas,
    verifiers: [(Service, Env, tempfile::TempDir); 2],
    recorder: Recorder,
    broke: BTreeMap<&'static str, usize>,
}

impl Nemesis {
    async fn strike(&mut self, dice: &mut Dice) {
        let target = dice.below(2);
        let what = match dice.below(8) {
            0 | 1 => self.restart_replica(target, Signal::KILL).await,
            2 => self.restart_replica(target, Signal::TERM).await,
            3 => self.freeze_replica(target, dice.milliseconds(100, 2500)).await,
            4 => self.restart_verifier(target).await,
            5 => self.cut_database().await,
            6 => self.rotate_key().await,
            _ => self.revoke_key().await,
        };
        *self.broke.entry(what).or_default() += 1;
    }

    async fn restart_replica(&mut self, replica: usize, signal: Signal) -> &'static str {
        let begun = self.recorder.now();
        self.replicas.restart(replica, signal).await;
        self.recorder.heals(replica, begun);
        if signal == Signal::KILL { "kills" } else { "restarts" }
    }

    async fn freeze_replica(&mut self, replica: usize, time: Duration) -> &'static str {
        let begun = self.recorder.now();
        self.replicas.services[replica].signal(Signal::STOP);
        tokio::time::sleep(time).await;
        self.replicas.services[replica].signal(Signal::CONT);
        self.recorder.heals(replica, begun);
        "freezes"
    }

    async fn restart_verifier(&mut self, verifier: usize) -> &'static str {
        let begun = self.recorder.now();
        let (service, env, folder) = &mut self.verifiers[verifier];
        service.signal(Signal::KILL);
        service.ended().await;
        *service = Service::start("resource-service", folder.path(), env).await;
        self.recorder.heals(verifier, begun);
        "verifiers killed"
    }

    async fn cut_database(&mut self) -> &'static str {
        let url = &self.replicas.env["AUTH__DATABASE__URL"];
        if url.starts_with("postgres") {
            let name = name_of(url);
            admin(&format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            ));
        }
        "database connections cut"
    }

    async fn command(&self, arguments: &'static [&'static str], more: Option<String>) -> Value {
        let (folder, env) = (self.replicas.folder.path().to_owned(), self.replicas.env.clone());
        let work = move || {
            let arguments = arguments.iter().copied().chain(more.as_deref()).chain(["--json"]);
            let output = run("auth-service", &arguments.collect::<Vec<_>>(), &folder, &env, "");
            serde_json::from_slice(&output.stdout).unwrap_or_default()
        };
        tokio::task::spawn_blocking(work).await.expect("a command ends")
    }

    async fn rotate_key(&mut self) -> &'static str {
        self.command(&["key", "rotate", "--now", "--wait", "3s"], None).await;
        "keys rotated"
    }

    async fn revoke_key(&mut self) -> &'static str {
        let keys = self.command(&["key", "list"], None).await;
        let signing = |key: &&Value| key["state"] == "active";
        let Some(kid) = keys.as_array().and_then(|keys| keys.iter().find(signing)?["kid"].as_str()) else {
            return "keys revoked in vain";
        };
        let (begun, kid) = (self.recorder.now(), kid.to_owned());
        let revoked = self.command(&["key", "revoke"], Some(kid.clone())).await;
        if revoked["revoked"] == true {
            self.recorder.answered(begun, Act::RevokeKey { kid }, Outcome::Yes);
        }
        "keys revoked"
    }
}

async fn r01_a_random_run_with_faults_keeps_every_promise(database: Database) {
    let seed = setting("SIGNET_SEED").map_or_else(
        || uuid::Uuid::new_v4().as_u64_pair().0,
        |seed| seed.parse().expect("SIGNET_SEED is a number"),
    );
    println!("SIGNET_SEED={seed}");
    let grace = format!("{}s", GRACE.as_secs());
    let replicas = Replicas::start(database, &[("AUTH__TOKENS__REFRESH_GRACE", &grace)]).await;
    let secret = |arguments: &[&str]| {
        let created = cli(replicas.folder.path(), &replicas.env, arguments, "");
        created["client_secret"].as_str().expect("a secret is shown").to_owned()
    };
    let notes_secret = secret(&["client", "create", NOTES, "--scope", WATCH]);
    let _ = cli(replicas.folder.path(), &replicas.env, &["audience", "create", "pay"], "");
    let payer = secret(&["client", "create", "payer", "--audience", "pay", "--scope", "notes:read"]);
    let verifiers = [
        verifier(&replicas.services[0], &notes_secret).await,
        verifier(&replicas.services[1], &notes_secret).await,
    ];
    let (recorder, over) = (Recorder::default(), Arc::new(AtomicBool::new(false)));
    let url = |service: &Service| format!("http://{}", service.http);
    let world = World {
        http: reqwest::Client::builder().timeout(Duration::from_secs(5)).build().expect("a client"),
        replicas: [0, 1].map(|replica: usize| url(&replicas.services[replica])),
        verifiers: [0, 1].map(|verifier: usize| url(&verifiers[verifier].0)),
        foreigner: ("payer".to_owned(), payer),
        recorder: recorder.clone(),
        over: Arc::clone(&over),
    };
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| tokio::spawn(live(world.clone(), Dice::of(seed.wrapping_add(client)))))
        .collect();
    let followers = [0, 1].map(|replica: usize| {
        tokio::spawn(follow(replicas.services[replica].grpc, notes_secret.clone(), Arc::clone(&over)))
    });
    let mut nemesis = Nemesis { replicas, verifiers, recorder: recorder.clone(), broke: BTreeMap::new() };
    let (mut dice, length) = (Dice::of(!seed), scale(Duration::from_secs(8), Duration::from_secs(120)));
    while recorder.now() < length {
        nemesis.strike(&mut dice).await;
        tokio::time::sleep(dice.milliseconds(100, 1500)).await;
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client met what cannot be");
    }
    for follower in followers {
        assert_eq!(follower.await.expect("it ends"), [""; 0], "seed {seed}: the feed left something out");
    }

    let history = recorder.history();
    let broken = check(&history, GRACE, BOUND);
    let first: Vec<_> = broken.iter().take(5).collect();
    assert!(broken.is_empty(), "seed {seed}: {} broken promises: {first:#?}", broken.len());
    assert_in_database(&history, &nemesis.replicas.env["AUTH__DATABASE__URL"], seed);
    let log = nemesis.replicas.services[0].log() + nemesis.verifiers[0].0.log().as_str();
    assert!(!log.contains("panicked"), "seed {seed}: {log}");
    let entries = nemesis.command(&["audit", "verify"], None).await["entries"].as_u64();
    assert!(entries.expect("the audit log is whole") > 0, "seed {seed}");
    let refreshed =
        history.events.iter().filter(|event| matches!(event.outcome, Outcome::Pair { .. })).count();
    assert!(refreshed > 50, "seed {seed}: too little was going on: {refreshed} refreshes");
    let late = longest_acceptance(&history);
    figure(format!(
        "seed {seed}: {} events, {refreshed} refreshes, {:?}: no promise broken; longest acceptance of what was taken back {late:.0?}",
        history.events.len(),
        nemesis.broke
    ));
}

async fn verifier(auth: &Service, notes_secret: &str) -> (Service, Env, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut env = resource_env(auth, folder.path());
    follow_by_feed(&mut env, auth, notes_secret);
    env.insert("RESOURCE__LOG__LEVEL".to_owned(), "warn,resource_service::startup=info".to_owned());
    let service = Service::start("resource-service", folder.path(), &env).await;
    // Where it is killed it comes back.
    env.insert("RESOURCE__HTTP__BIND".to_owned(), service.http.to_string());
    (service, env, folder)
}

/// Every write that was acknowledged is there.
fn assert_in_database(history: &system_tests::history::History, url: &str, seed: u64) {
    let stored: BTreeMap<_, _> = sessions(url).into_iter().map(|row| (row.id.clone(), row)).collect();
    for event in &history.events {
        match (&event.act, &event.outcome) {
            (Act::Refresh { session, .. }, Outcome::Pair { generation, .. }) => {
                let row = stored.get(session).unwrap_or_else(|| panic!("seed {seed}: {session} is lost"));
                let stored = u64::try_from(row.generation).expect("a generation");
                assert!(stored >= *generation, "seed {seed}: {event:?} is lost");
            }
            (Act::End { session }, Outcome::Yes) => {
                assert!(stored[session].ended, "seed {seed}: {event:?} is lost");
            }
            _ => {}
        }
    }
}
