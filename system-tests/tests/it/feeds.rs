//! The feeds as they are: what they say, to whom, and that verifiers act on it.

use std::time::Duration;

use serde_json::{Value, json};
use signet_proto::auth::v1::key_service_client::KeyServiceClient;
use signet_proto::auth::v1::revocation::Target;
use signet_proto::auth::v1::revocation_service_client::RevocationServiceClient;
use signet_proto::auth::v1::{KeySetUpdate, RevocationUpdate, WatchKeysRequest, WatchRevocationsRequest};
use system_tests::processes::{Service, run};
use system_tests::protocol::{as_gateway, channel, unverified_claims, unverified_header, with_basic};
use system_tests::replicas::Replicas;
use system_tests::system::{GATEWAY, NOTES, PASSWORD, USER, WATCH, auth_env, cli, resource_env};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};

use super::gateway::Nginx;

on_both_databases! {
    a_watch_begins_with_what_is_missing_and_goes_on_with_what_comes
    a_replica_tells_its_watchers_what_another_wrote
    everything_that_takes_tokens_back_reaches_verifiers_of_both_kinds
    a_rotation_waits_for_every_connected_verifier_and_names_those_that_do_not_answer
    f20_ten_rotations_in_traffic_lose_nothing
}

/// A raw watch of revocations.
struct Watch {
    updates: Streaming<RevocationUpdate>,
}

impl Watch {
    async fn open(
        address: std::net::SocketAddr,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Self, Status> {
        let mut client = RevocationServiceClient::new(channel(address).await);
        Ok(Self { updates: client.watch(request).await?.into_inner() })
    }

    async fn of(system: &System, epoch: u64, after_seq: u64) -> Result<Self, Status> {
        let request = with_basic(WatchRevocationsRequest { epoch, after_seq }, NOTES, &system.notes_secret);
        Self::open(system.auth.grpc, request).await
    }

    async fn next(&mut self) -> RevocationUpdate {
        let update = tokio::time::timeout(Duration::from_secs(20), self.updates.message()).await;
        update.expect("it speaks every second").expect("it goes on").expect("it goes on")
    }

    /// The next one that has entries.
    async fn next_entries(&mut self) -> RevocationUpdate {
        loop {
            let update = self.next().await;
            if !update.entries.is_empty() {
                return update;
            }
        }
    }
}

fn targets(update: &RevocationUpdate) -> Vec<Target> {
    update.entries.iter().map(|entry| entry.target.clone().expect("a target")).collect()
}

fn sid(token: &str) -> Target {
    Target::Session(unverified_claims(token)["sid"].as_str().expect("a sid").to_owned())
}

async fn a_watch_begins_with_what_is_missing_and_goes_on_with_what_comes(database: Database) {
    let system = System::start(database).await;
    let login = || async { Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap() };
    let (first, second, third) = (login().await, login().await, login().await);
    Protocol::Http.end(&system, &first.refresh).await.unwrap();

    let mut watch = Watch::of(&system, 0, 0).await.unwrap();
    let snapshot = watch.next_entries().await;
    assert_eq!((snapshot.after_seq, snapshot.seq, snapshot.more), (0, 1, false));
    assert_eq!(targets(&snapshot), [sid(&first.access)]);
    assert!(snapshot.epoch > 0);

    Protocol::Http.end(&system, &second.refresh).await.unwrap();
    let delta = watch.next_entries().await;
    assert_eq!((delta.epoch, delta.after_seq, delta.seq), (snapshot.epoch, 1, 2));
    assert_eq!(targets(&delta), [sid(&second.access)]);

    let heartbeat = watch.next().await;
    assert_eq!((heartbeat.after_seq, heartbeat.seq), (2, 2), "there is nothing newer");
    assert!(heartbeat.entries.is_empty());

    Protocol::Http.end(&system, &third.refresh).await.unwrap();
    let mut resumed = Watch::of(&system, snapshot.epoch, 2).await.unwrap();
    let missing = resumed.next_entries().await;
    assert_eq!((missing.after_seq, missing.seq), (2, 3));
    assert_eq!(targets(&missing), [sid(&third.access)], "only what is missing");

    let epoch = system.cli(&["restored"])["epoch"].as_u64().unwrap();
    assert!(epoch > snapshot.epoch);
    let anew = loop {
        let update = resumed.next().await;
        if update.epoch == epoch {
            break update;
        }
    };
    assert_eq!((anew.after_seq, anew.seq, anew.entries.len()), (0, 3, 3), "everything, in a new history");

    let mut of_another_history = Watch::of(&system, snapshot.epoch - 1, 2).await.unwrap();
    let anew = of_another_history.next().await;
    assert_eq!((anew.after_seq, anew.entries.len()), (0, 3), "all of it");
}

async fn a_replica_tells_its_watchers_what_another_wrote(database: Database) {
    let replicas = Replicas::start(database, &[]).await;
    let created =
        cli(replicas.folder.path(), &replicas.env, &["client", "create", NOTES, "--scope", WATCH], "");
    let secret = created["client_secret"].as_str().unwrap();
    let request = with_basic(WatchRevocationsRequest::default(), NOTES, secret);
    let mut watch = Watch::open(replicas.services[1].grpc, request).await.unwrap();
    let mut seq = watch.next().await.seq;
    for _ in 0..5 {
        let (access, refresh) = replicas.obtain(0, USER, PASSWORD).await;
        assert_eq!(replicas.blacklist(0, &refresh).await, Some(200));
        let update = watch.next_entries().await;
        assert_eq!((update.after_seq, targets(&update)), (seq, vec![sid(&access)]));
        seq = update.seq;
    }
}

#[tokio::test]
async fn a_watch_is_for_clients_only_is_bounded_and_ends_with_the_client() {
    let settings = [("AUTH__GRPC__MAX_WATCHES", "4")];
    let system = System::with(Database::Sqlite, &settings).await;
    let code = |outcome: Result<Watch, Status>| outcome.map(drop).map_err(|status| status.code());
    let nobody = Request::new(WatchRevocationsRequest::default());
    assert_eq!(code(Watch::open(system.auth.grpc, nobody).await), Err(Code::Unauthenticated));
    let wrong = with_basic(WatchRevocationsRequest::default(), NOTES, "wrong");
    assert_eq!(code(Watch::open(system.auth.grpc, wrong).await), Err(Code::Unauthenticated));
    let nobody = Request::new(tokio_stream::empty::<WatchKeysRequest>());
    let keys = KeyServiceClient::new(channel(system.auth.grpc).await).watch(nobody).await;
    assert_eq!(keys.map(drop).map_err(|status| status.code()), Err(Code::Unauthenticated));

    // What the feeds name, users and sessions, is not every client's to know.
    let gateway = as_gateway(&system, WatchRevocationsRequest::default());
    assert_eq!(code(Watch::open(system.auth.grpc, gateway).await), Err(Code::PermissionDenied));
    let without_scope = as_gateway(&system, tokio_stream::empty::<WatchKeysRequest>());
    let keys = KeyServiceClient::new(channel(system.auth.grpc).await).watch(without_scope).await;
    assert_eq!(keys.map(drop).map_err(|status| status.code()), Err(Code::PermissionDenied));

    // The resource service has two of the four streams: one client may have one half of them.
    assert_eq!(code(Watch::of(&system, 0, 0).await), Err(Code::ResourceExhausted));
    let client = |id: &str| {
        let made = system.cli(&["client", "create", id, "--scope", WATCH]);
        made["client_secret"].as_str().unwrap().to_owned()
    };
    let (second, third) = (client("second"), client("third"));
    let watch = async |id: &str, secret: &str| {
        let request = with_basic(WatchRevocationsRequest::default(), id, secret);
        Watch::open(system.auth.grpc, request).await
    };
    let mut watching = watch("second", &second).await.unwrap();
    let _last = watch("second", &second).await.unwrap();
    assert_eq!(code(watch("third", &third).await), Err(Code::ResourceExhausted));

    let _ = system.cli(&["client", "disable", "second"]);
    let ended = loop {
        match watching.updates.message().await {
            Ok(Some(_)) => {}
            other => break other,
        }
    };
    assert_eq!(ended.unwrap_err().code(), Code::Unauthenticated);
    eventually("another client may follow", || async { watch("third", &third).await.ok() }).await;
}

async fn everything_that_takes_tokens_back_reaches_verifiers_of_both_kinds(database: Database) {
    let mut system = System::start(database).await;
    // Beside the one that follows the feeds: one without credentials, which follows the documents.
    let folder = tempfile::tempdir().unwrap();
    let documents =
        Service::start("resource-service", folder.path(), &resource_env(&system.auth, folder.path())).await;
    let notes = |token: String| {
        let request = system.http.get(format!("http://{}/notes", documents.http)).bearer_auth(token);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let login = |name: &'static str| {
        let system = &system;
        async move { Protocol::Http.obtain(system, name, PASSWORD).await.unwrap() }
    };
    let create = |name: &str| {
        let arguments = ["user", "create", name, "--password-stdin"];
        cli(system.folder.path(), &system.auth_env, &arguments, PASSWORD)
    };
    for name in ["pw", "off"] {
        let _ = create(name);
    }
    let machine = || async {
        let credentials = (GATEWAY, system.gateway_secret.as_str());
        Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap()
    };
    let (blacklisted, revoked, reused) = (login(USER).await, login(USER).await, login(USER).await);
    let (changed, disabled, bystander) = (login("pw").await, login("off").await, login(USER).await);
    let (by_jti, of_client) = (machine().await, machine().await);
    let grpc_revoked = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();
    for token in [&blacklisted.access, &by_jti, &bystander.access] {
        assert_eq!((system.notes_over_http(token).await, notes(token.clone()).await), (200, 200));
    }
    let revoke = |token: &str| {
        let request = system.http.post(system.auth_url("/oauth2/revoke"));
        let request = request.basic_auth(GATEWAY, Some(&system.gateway_secret)).form(&[("token", token)]);
        async move { assert_eq!(request.send().await.unwrap().status(), 200) }
    };
    Protocol::Http.end(&system, &blacklisted.refresh).await.unwrap();
    Protocol::Http.end(&system, &revoked.refresh).await.unwrap();
    Protocol::Grpc.end(&system, &grpc_revoked.refresh).await.unwrap();
    revoke(&by_jti).await;
    let mut successor = reused.clone();
    for _ in 0..2 {
        successor = Protocol::Http.refresh(&system, &successor.refresh).await.unwrap();
    }
    Protocol::Http.refresh(&system, &reused.refresh).await.unwrap_err();
    let _ = cli(system.folder.path(), &system.auth_env, &["user", "passwd", "pw"], "");
    let _ = system.cli(&["user", "disable", "off"]);
    for (what, token) in [
        ("blacklist", &blacklisted.access),
        ("blacklist of another", &revoked.access),
        ("revoke of a refresh token", &grpc_revoked.access),
        ("one token", &by_jti),
        ("reuse, the first", &reused.access),
        ("reuse, the last", &successor.access),
        ("a changed password", &changed.access),
        ("a disabled account", &disabled.access),
    ] {
        eventually(&format!("{what}: refused by both"), || async {
            let both = (system.notes_over_http(token).await, notes(token.clone()).await);
            (both == (401, 401)).then_some(())
        })
        .await;
    }
    for (what, token) in [("another session", &bystander.access), ("a machine", &of_client)] {
        let both = (system.notes_over_http(token).await, notes(token.clone()).await);
        assert_eq!(both, (200, 200), "{what} goes on");
    }
    let _ = system.cli(&["client", "disable", GATEWAY]);
    let kid = unverified_header(&bystander.access)["kid"].as_str().unwrap().to_owned();
    system.notes_come_to_refuse(&of_client).await;
    assert_eq!(system.notes_over_http(&bystander.access).await, 200);
    let _ = system.cli(&["key", "revoke", &kid]);
    for token in [&of_client, &bystander.access] {
        eventually("refused by both", || async {
            let both = (system.notes_over_http(token).await, notes(token.clone()).await);
            (both == (401, 401)).then_some(())
        })
        .await;
    }
    // A restart of the verifier does not forget.
    system.restart_resource().await;
    assert_eq!(system.notes_over_http(&blacklisted.access).await, 401);
}

/// Waits until every key is known to be held by so many verifiers.
async fn is_known(system: &System, verifiers: usize) {
    eventually("the verifiers are known", || async {
        let keys = system.cli(&["key", "list"]);
        keys.as_array().unwrap().iter().all(|key| key["held_by"] == verifiers).then_some(())
    })
    .await;
}

/// A raw watch of keys, by a verifier that says it holds none, and nothing after that.
pub async fn watch_keys(system: &System) -> (mpsc::Sender<WatchKeysRequest>, Streaming<KeySetUpdate>) {
    let (say, said) = mpsc::channel::<WatchKeysRequest>(1);
    say.send(WatchKeysRequest::default()).await.unwrap();
    let request = with_basic(ReceiverStream::new(said), NOTES, &system.notes_secret);
    let mut client = KeyServiceClient::new(channel(system.auth.grpc).await);
    let updates = client.watch(request).await.unwrap().into_inner();
    (say, updates)
}

async fn a_rotation_waits_for_every_connected_verifier_and_names_those_that_do_not_answer(
    database: Database,
) {
    let system = System::start(database).await;
    is_known(&system, 1).await;
    let rotated = system.cli(&["key", "rotate", "--now"]);
    assert_eq!(rotated["verifiers"], json!({"connected": 1, "without_key": []}));
    let token = eventually("the new key signs", || async {
        let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
        (unverified_header(&token)["kid"] == rotated["kid"]).then_some(token)
    })
    .await;
    assert!(system.notes_accept(&token).await, "it was held before it signed");

    let silent = watch_keys(&system).await;
    eventually("it is known", || async {
        let keys = system.cli(&["key", "list"]);
        let all = keys.as_array().unwrap().clone();
        let missing = |key: &Value| key["missing_at"].as_array().unwrap().len();
        all.iter().all(|key| missing(key) == 1).then_some(())
    })
    .await;
    let rotated = system.cli(&["key", "rotate", "--wait", "1s"]);
    assert_eq!(rotated["verifiers"]["connected"], 2);
    assert_eq!(rotated["verifiers"]["without_key"][0]["client_id"], NOTES);
    assert_eq!(rotated["verifiers"]["without_key"].as_array().unwrap().len(), 1);
    drop(silent);
    eventually("it is forgotten", || async {
        let keys = system.cli(&["key", "list"]);
        keys.as_array().unwrap().iter().all(|key| key["missing_at"] == json!([])).then_some(())
    })
    .await;
    let refused =
        run("auth-service", &["key", "rotate", "--wait", "soon"], system.folder.path(), &system.auth_env, "");
    assert_eq!(refused.status.code(), Some(2));
}

async fn f20_ten_rotations_in_traffic_lose_nothing(database: Database) {
    let system = std::sync::Arc::new(System::start(database).await);
    is_known(&system, 1).await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let traffic = {
        let (system, stop) = (std::sync::Arc::clone(&system), std::sync::Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut kids, mut asked) = (std::collections::HashSet::new(), 0);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let credentials = (GATEWAY, system.gateway_secret.as_str());
                let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
                assert_eq!(system.notes_over_http(&token).await, 200, "a true token was refused");
                kids.insert(unverified_header(&token)["kid"].as_str().unwrap().to_owned());
                asked += 1;
            }
            (kids.len(), asked)
        })
    };
    for _ in 0..10 {
        let rotating = std::sync::Arc::clone(&system);
        let rotated = tokio::task::spawn_blocking(move || rotating.cli(&["key", "rotate", "--now"]));
        let rotated = rotated.await.unwrap();
        assert_eq!(rotated["verifiers"]["without_key"], json!([]));
        let kid = rotated["kid"].as_str().unwrap().to_owned();
        eventually("it signs", || async {
            let credentials = (GATEWAY, system.gateway_secret.as_str());
            let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
            (unverified_header(&token)["kid"] == kid).then_some(())
        })
        .await;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let (kids, asked) = traffic.await.unwrap();
    assert!(kids >= 8 && asked > 100, "{asked} requests under {kids} keys");
    system_tests::drill::figure(format!("10 rotations, {asked} requests under {kids} keys, 0 refused"));
}

#[tokio::test]
async fn the_document_can_be_waited_for() {
    let system = System::start(Database::Sqlite).await;
    let login = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let get = |etag: String, query: &'static str| {
        let request = system.http.get(system.auth_url(&format!("/revocations{query}")));
        request.header("if-none-match", etag).send()
    };
    let first = get(String::new(), "").await.unwrap();
    let etag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(get(etag.clone(), "").await.unwrap().status(), 304);
    assert_eq!(get(etag.clone(), "?wait=1").await.unwrap().status(), 304, "nothing has come meanwhile");
    let waiting = tokio::spawn(get(etag.clone(), "?wait=30"));
    Protocol::Http.end(&system, &login.refresh).await.unwrap();
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200, "well before the thirty seconds, or this test would be slow");
    assert_ne!(answer.headers()["etag"].to_str().unwrap(), etag);
    assert_eq!(get(etag, "?wait=now").await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_feed_that_cannot_work_ends_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let auth = Service::start("auth-service", folder.path(), &env).await;
    let with = |settings: &[(&str, &str)]| {
        let mut env = resource_env(&auth, folder.path());
        env.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let output = run("resource-service", &[], folder.path(), &env, "");
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!told.contains("hush"), "a secret: {told}");
        told
    };
    let id = ("RESOURCE__AUTHORITY__CLIENT_ID", "notes");
    assert!(with(&[id]).contains("client_secret is missing"));
    let secret = ("RESOURCE__AUTHORITY__CLIENT_SECRET", "hush");
    let far = ("RESOURCE__AUTHORITY__GRPC_URL", "http://192.0.2.1:9090");
    assert!(with(&[id, secret, far]).contains("not https"));
    let no_file = ("RESOURCE__AUTHORITY__CLIENT_SECRET_FILE", "/does/not/exist");
    assert!(with(&[id, no_file]).contains("/does/not/exist"));
}

/// A certificate authority of the test, and a certificate for this machine.
pub fn certificates(folder: &std::path::Path) {
    let openssl = |arguments: &str| {
        let arguments = arguments.split(' ');
        let ran = std::process::Command::new("openssl").args(arguments).current_dir(folder).output();
        let ran = ran.expect("no openssl: apt-get install openssl");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    };
    std::fs::write(folder.join("san"), "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=auth",
    );
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.crt",
    );
}

#[tokio::test]
async fn feeds_come_over_tls_and_a_certificate_that_does_not_fit_brings_nothing() {
    let system = System::start(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let ca = system.folder.path().join("ca.crt");
    std::fs::copy(folder.path().join("ca.crt"), &ca).unwrap();
    let backends = [("127.0.0.1:9090", system.auth.grpc)];
    let nginx = Nginx::with("nginx/feeds.conf", "127.0.0.1:9443", &backends, folder).await;

    let start = |name: &'static str, ca_file: Option<&std::path::Path>| {
        let data = system.folder.path().join(name);
        let mut env = system.resource_env.clone();
        env.insert("RESOURCE__DATA_DIR".to_owned(), data.display().to_string());
        env.insert("RESOURCE__AUTHORITY__GRPC_URL".to_owned(), format!("https://{}", nginx.address));
        if let Some(ca) = ca_file {
            env.insert("RESOURCE__AUTHORITY__CA_FILE".to_owned(), ca.display().to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        async move {
            let service = Service::start("resource-service", folder.path(), &env).await;
            (service, folder)
        }
    };
    let (trusting, _folder) = start("trusting", Some(&ca)).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let notes = || async {
        let request = system.http.get(format!("http://{}/notes", trusting.http)).bearer_auth(&pair.access);
        request.send().await.unwrap().status().as_u16()
    };
    eventually("it has keys", || async { (notes().await == 200).then_some(()) }).await;
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    eventually("it is told", || async { (notes().await == 401).then_some(()) }).await;
    // What it says arrives too.
    is_known(&system, 2).await;

    let (strict, _folder) = start("strict", None).await;
    eventually("it does not believe the certificate", || async {
        strict.log().contains("UnknownIssuer").then_some(())
    })
    .await;
    let ready = system.http.get(format!("http://{}/readyz", strict.http)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
}

/// One setting for both ways of following.
#[tokio::test]
async fn documents_come_over_tls_by_the_same_certificate_authority() {
    let system = System::start(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let ca = system.folder.path().join("ca.crt");
    std::fs::copy(folder.path().join("ca.crt"), &ca).unwrap();
    let backends = [("127.0.0.1:8080", system.auth.http), ("127.0.0.1:8082", system.auth.http)];
    let nginx = Nginx::with("nginx/authority.conf", "127.0.0.1:8443", &backends, folder).await;
    let data = system.folder.path().join("documents");
    let mut env = system.resource_env.clone();
    env.retain(|name, _| !name.starts_with("RESOURCE__AUTHORITY__CLIENT") && !name.contains("GRPC_URL"));
    env.insert("RESOURCE__DATA_DIR".to_owned(), data.display().to_string());
    env.insert("RESOURCE__AUTHORITY__URL".to_owned(), format!("https://{}", nginx.address));
    let folder = tempfile::tempdir().unwrap();
    let strict = Service::start("resource-service", folder.path(), &env).await;
    eventually("it does not believe the certificate", || async {
        strict.log().contains("UnknownIssuer").then_some(())
    })
    .await;
    let _ = std::fs::remove_dir_all(&data);
    env.insert("RESOURCE__AUTHORITY__CA_FILE".to_owned(), ca.display().to_string());
    let trusting = Service::start("resource-service", folder.path(), &env).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let notes = || async {
        let request = system.http.get(format!("http://{}/notes", trusting.http)).bearer_auth(&pair.access);
        request.send().await.unwrap().status().as_u16()
    };
    eventually("it has keys and revocations", || async { (notes().await == 200).then_some(()) }).await;
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    eventually("it is told", || async { (notes().await == 401).then_some(()) }).await;
}
