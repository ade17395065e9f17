//! An authority that lies, babbles or never ends: the verifier keeps its last good state, counts, and is in
//! step again as soon as it is told the truth.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use shared_claims::{AccessClaims, KeySet, Verifier};
use shared_claims::{Authority, AuthoritySettings, FeedSettings};
use signet_proto::auth::v1::key_service_server::{KeyService, KeyServiceServer};
use signet_proto::auth::v1::revocation::Target;
use signet_proto::auth::v1::revocation_service_server::{RevocationService, RevocationServiceServer};
use signet_proto::auth::v1::{
    KeySetUpdate, Revocation, RevocationUpdate, WatchKeysRequest, WatchRevocationsRequest,
};
use system_tests::drill::figure;
use system_tests::eventually;
use system_tests::hostile::Signer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, Streaming};

const ISSUER: &str = "https://auth.test";
const EPOCH: u64 = 1_700_000_000_000;
/// How far the keys have come at the fake.
const KEYS_SEQ: u64 = 5;
const FAR: u64 = 4_000_000_000;

/// One lie, told on the next stream of its kind.
enum Lie {
    /// A key set, and the epoch and number up to which the keys have come.
    Keys(Vec<u8>, (u64, u64)),
    Revocations(Vec<RevocationUpdate>),
}

/// An authority that says what it is told to: a lie once, and the truth after that.
#[derive(Clone)]
struct Fake {
    lie: Arc<Mutex<Option<Lie>>>,
    jwks: Vec<u8>,
    truth: Arc<Mutex<Vec<RevocationUpdate>>>,
    /// Where each stream of revocations was asked to begin.
    asked: Arc<Mutex<Vec<(u64, u64)>>>,
    /// Ends the streams that are open.
    end: Arc<Mutex<CancellationToken>>,
}

#[tonic::async_trait]
impl RevocationService for Fake {
    type WatchStream = ReceiverStream<Result<RevocationUpdate, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRevocationsRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let asked = request.into_inner();
        self.asked.lock().unwrap().push((asked.epoch, asked.after_seq));
        let mut lie = self.lie.lock().unwrap();
        let script = match lie.take() {
            Some(Lie::Revocations(said)) => said,
            other => {
                *lie = other;
                self.truth.lock().unwrap().clone()
            }
        };
        let last = script.last().cloned().unwrap_or_default();
        let heartbeat = RevocationUpdate { after_seq: last.seq, entries: vec![], ..last };
        Ok(Response::new(self.say(script, heartbeat)))
    }
}

#[tonic::async_trait]
impl KeyService for Fake {
    type WatchStream = ReceiverStream<Result<KeySetUpdate, Status>>;

    async fn watch(
        &self,
        _: Request<Streaming<WatchKeysRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let mut lie = self.lie.lock().unwrap();
        let (jwks, (epoch, seq)) = match lie.take() {
            Some(Lie::Keys(jwks, position)) => (jwks, position),
            other => {
                *lie = other;
                (self.jwks.clone(), (EPOCH, KEYS_SEQ))
            }
        };
        let said = KeySetUpdate { jwks, epoch, seq };
        let heartbeat = KeySetUpdate { jwks: Vec::new(), ..said };
        Ok(Response::new(self.say(vec![said], heartbeat)))
    }
}

impl Fake {
    fn say<T: Clone + Send + 'static>(
        &self,
        script: Vec<T>,
        heartbeat: T,
    ) -> ReceiverStream<Result<T, Status>> {
        let ((updates, stream), end) = (mpsc::channel(1), self.end.lock().unwrap().clone());
        tokio::spawn(async move {
            for update in script {
                if updates.send(Ok(update)).await.is_err() {
                    return;
                }
            }
            while !end.is_cancelled() && updates.send(Ok(heartbeat.clone())).await.is_ok() {
                tokio::select! {
                    () = end.cancelled() => {}
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        });
        ReceiverStream::new(stream)
    }

    fn end_streams(&self) {
        std::mem::take(&mut *self.end.lock().unwrap()).cancel();
    }

    async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(RevocationServiceServer::new(self.clone()))
            .add_service(KeyServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }
}

fn signer() -> (Signer, Value) {
    let mut signer = Signer::eddsa();
    signer.kid = "k1".to_owned();
    let jwk = signer.jwk();
    (signer, jwk)
}

/// Verified claims of a session's token.
fn claims(signer: &Signer, jwk: &Value, session: &str) -> AccessClaims {
    let now = unix_now();
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"});
    let claims = json!({
        "iss": ISSUER, "sub": "u1", "aud": "notes", "exp": now + 300, "iat": now, "jti": "j1",
        "client_id": "web", "sid": session,
    });
    let token = signer.token(header.to_string().as_bytes(), claims.to_string().as_bytes());
    let keys = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    Verifier::new(ISSUER, "notes").verify(&token, &keys, now).unwrap()
}

fn settings(url: &str, feed: Option<FeedSettings>, folder: &std::path::Path) -> AuthoritySettings {
    let mut settings = AuthoritySettings::of(url);
    settings.issuer = ISSUER.to_owned();
    settings.feed = feed;
    settings.data_dir = Some(folder.to_owned());
    settings
}

/// A verifier in this process that follows a fake.
struct Bench {
    fake: Fake,
    authority: Arc<Authority>,
    signer: Signer,
    jwk: Value,
    _stop: DropGuard,
    _folder: tempfile::TempDir,
}

impl Bench {
    /// In step, with the session `s1` revoked.
    async fn start() -> Self {
        let ((signer, jwk), stop) = (signer(), CancellationToken::new());
        let fake = Fake {
            lie: Arc::default(),
            jwks: json!({"keys": [jwk]}).to_string().into_bytes(),
            truth: Arc::new(Mutex::new(vec![update(EPOCH, 0, 1, &["s1"])])),
            asked: Arc::default(),
            end: Arc::default(),
        };
        let feed = FeedSettings {
            url: format!("http://{}", fake.serve().await),
            client_id: "notes".to_owned(),
            client_secret: "secret".to_owned(),
        };
        let folder = tempfile::tempdir().unwrap();
        let settings = settings("http://127.0.0.1:9", Some(feed), folder.path());
        let authority = Authority::start(settings, stop.clone()).unwrap();
        let bench = Self { fake, authority, signer, jwk, _stop: stop.drop_guard(), _folder: folder };
        eventually("it is in step", || async { bench.refuses("s1").then_some(()) }).await;
        bench
    }

    /// Whether the key is known, and a token of the session would be refused under it.
    fn refuses(&self, session: &str) -> bool {
        let trust = self.authority.trust();
        trust.keys.contains("k1") && trust.revocations.matches(&claims(&self.signer, &self.jwk, session))
    }

    /// Lets the fake tell a lie on the next stream, and `truth` on those that follow.
    async fn is_lied_to(&self, what: &str, lie: Lie, truth: Vec<RevocationUpdate>) {
        let before = self.authority.refused_updates();
        *self.fake.lie.lock().unwrap() = Some(lie);
        *self.fake.truth.lock().unwrap() = truth;
        self.fake.end_streams();
        eventually(&format!("{what}: counted"), || async {
            assert!(self.refuses("s1"), "{what}: the last good state was lost");
            (self.authority.refused_updates() > before).then_some(())
        })
        .await;
        eventually(&format!("{what}: in step again"), || async {
            assert!(self.refuses("s1"), "{what}: the last good state was lost");
            let fresh = self.authority.freshness().is_within(Duration::from_millis(900));
            (self.refuses("s2") && fresh).then_some(())
        })
        .await;
    }
}

fn update(epoch: u64, after_seq: u64, seq: u64, sessions: &[&str]) -> RevocationUpdate {
    let entry = |id: &&str| Revocation {
        target: Some(Target::Session((*id).to_owned())),
        not_before: 0,
        expires_at: FAR,
    };
    let entries = sessions.iter().map(entry).collect();
    RevocationUpdate { epoch, after_seq, seq, entries, ..Default::default() }
}

/// What is in step with one that stands at 1 and with one that begins again.
fn truth() -> Vec<RevocationUpdate> {
    vec![update(EPOCH, 0, 2, &["s1", "s2"])]
}

#[tokio::test]
async fn f23_lies_about_revocations_change_nothing() {
    let nameless =
        Revocation { target: Some(Target::Session(String::new())), not_before: 0, expires_at: FAR };
    let huge = "x".repeat(10_000_000);
    let lies = [
        ("a gap", vec![update(EPOCH, 5, 6, &["s6"])]),
        ("an earlier epoch", vec![update(EPOCH - 1, 0, 9, &[])]),
        ("an epoch in the far future", vec![update(u64::MAX, 0, 0, &[])]),
        ("a later epoch that begins in the middle", vec![update(EPOCH + 1, 3, 9, &["s9"])]),
        ("an end before the beginning", vec![update(EPOCH, 1, 0, &[])]),
        (
            "an entry without a name",
            vec![RevocationUpdate { entries: vec![nameless], ..update(EPOCH, 1, 2, &[]) }],
        ),
        ("ten megabytes", vec![update(EPOCH, 1, 2, &[&huge])]),
    ];
    figure(format!(
        "{} lies about revocations: the last good state stays, in step again after each",
        lies.len()
    ));
    for (what, said) in lies {
        let bench = Bench::start().await;
        bench.is_lied_to(what, Lie::Revocations(said), truth()).await;
    }
}

#[tokio::test]
async fn f23_lies_about_keys_change_nothing() {
    let (_, jwk) = signer();
    let with = |name: &str, value: Value| {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    };
    let lies = [
        ("garbage", b"<html>not found</html>".to_vec()),
        ("an empty set", json!({"keys": []}).to_string().into_bytes()),
        ("one kid twice", json!({"keys": [jwk, jwk]}).to_string().into_bytes()),
        ("a private key", json!({"keys": [with("d", json!("AA"))]}).to_string().into_bytes()),
        ("a secret", json!({"keys": [jwk, {"kty": "oct", "k": "AA", "kid": "x"}]}).to_string().into_bytes()),
        ("ten megabytes", vec![b' '; 10_000_000]),
    ];
    figure(format!("{} lies about keys: the same", lies.len()));
    for (what, jwks) in lies {
        let bench = Bench::start().await;
        bench.is_lied_to(what, Lie::Keys(jwks, (EPOCH, KEYS_SEQ + 1)), truth()).await;
    }
}

#[tokio::test]
async fn a_key_set_of_an_epoch_that_cannot_be_keeps_no_true_one_out() {
    let bench = Bench::start().await;
    let jwks = bench.fake.jwks.clone();
    bench.is_lied_to("a far epoch", Lie::Keys(jwks, (u64::MAX, 0)), truth()).await;
}

#[tokio::test]
async fn after_a_gap_the_whole_is_asked_for_and_a_replica_behind_takes_nothing_away() {
    let bench = Bench::start().await;
    bench.is_lied_to("a gap", Lie::Revocations(vec![update(EPOCH, 5, 6, &["s6"])]), truth()).await;
    assert_eq!(bench.fake.asked.lock().unwrap().last(), Some(&(0, 0)), "from the beginning");
    // A replica that knows less, also when it is asked for everything.
    let less = update(EPOCH, 0, 1, &["s1"]);
    let lie = Lie::Revocations(vec![update(EPOCH, 9, 10, &[])]);
    *bench.fake.truth.lock().unwrap() = vec![less];
    *bench.fake.lie.lock().unwrap() = Some(lie);
    bench.fake.end_streams();
    let asked = bench.fake.asked.lock().unwrap().len();
    eventually("it has asked it a few times", || async {
        (bench.fake.asked.lock().unwrap().len() >= asked + 3).then_some(())
    })
    .await;
    assert!(bench.refuses("s2"), "a revocation was forgotten");
    *bench.fake.truth.lock().unwrap() = vec![update(EPOCH, 0, 3, &["s1", "s2", "s3"])];
    eventually("it is in step again", || async { bench.refuses("s3").then_some(()) }).await;
    // A new history takes the place of the old one as a whole, and only when it is complete.
    let first = RevocationUpdate { more: true, ..update(EPOCH + 1, 0, 1, &["n1"]) };
    *bench.fake.truth.lock().unwrap() = vec![first, update(EPOCH + 1, 1, 2, &["n2"])];
    bench.fake.end_streams();
    eventually("the new history is here", || async {
        let (new, old) = (bench.refuses("n2"), bench.refuses("s3"));
        assert!(new != old, "neither, or both");
        new.then_some(())
    })
    .await;
    assert!(bench.refuses("n1") && !bench.refuses("s1"));
}

#[tokio::test]
async fn a_key_set_of_a_replica_that_is_late_is_not_taken() {
    let bench = Bench::start().await;
    let mut revoked = Signer::eddsa();
    revoked.kid = "revoked".to_owned();
    let older = json!({"keys": [bench.jwk, revoked.jwk()]}).to_string().into_bytes();
    *bench.fake.lie.lock().unwrap() = Some(Lie::Keys(older, (EPOCH, KEYS_SEQ - 1)));
    bench.fake.end_streams();
    eventually("it hears no word of keys from there", || async {
        assert!(!bench.authority.trust().keys.contains("revoked"), "a revoked key came back");
        (!bench.authority.freshness().is_within(Duration::from_millis(1500))).then_some(())
    })
    .await;
    bench.fake.end_streams();
    eventually("it is in step again", || async {
        bench.authority.freshness().is_within(Duration::from_millis(900)).then_some(())
    })
    .await;
    assert!(!bench.authority.trust().keys.contains("revoked"));
}

#[tokio::test]
async fn an_authority_that_stays_behind_is_trusted_after_a_while_and_followed_as_ever_then() {
    let bench = Bench::start().await;
    *bench.fake.truth.lock().unwrap() = vec![update(EPOCH, 0, 2, &["s1", "s2"])];
    bench.fake.end_streams();
    eventually("it is in step", || async { bench.refuses("s2").then_some(()) }).await;
    // A backup was restored, and nobody began a new epoch.
    *bench.fake.truth.lock().unwrap() = vec![update(EPOCH, 0, 1, &["s1"])];
    bench.fake.end_streams();
    eventually("the backup is believed", || async { (!bench.refuses("s2")).then_some(()) }).await;
    assert!(bench.refuses("s1"));
    let asked = bench.fake.asked.lock().unwrap().len();
    bench.fake.end_streams();
    eventually("it asks for what follows, not for everything", || async {
        (bench.fake.asked.lock().unwrap().get(asked) == Some(&(EPOCH, 1))).then_some(())
    })
    .await;
}

/// What a fake says over HTTP.
#[derive(Clone)]
enum Said {
    Body(Vec<u8>),
    /// A byte now and then, for ever.
    NeverEnds,
}

/// A web server of two paths, one connection for each request.
async fn web(jwks: Arc<Mutex<Said>>, revocations: Arc<Mutex<Said>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (jwks, revocations) = (Arc::clone(&jwks), Arc::clone(&revocations));
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let path = String::from_utf8_lossy(&head[..read]).into_owned();
                let said =
                    if path.contains("/revocations") { revocations } else { jwks }.lock().unwrap().clone();
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nETag: e\r\n";
                match said {
                    Said::Body(body) => {
                        let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
                        let _ = stream.write_all(head.as_bytes()).await;
                        let _ = stream.write_all(&body).await;
                    }
                    Said::NeverEnds => {
                        let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
                        while stream.write_all(b" ").await.is_ok() {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn f23_lies_in_documents_change_nothing() {
    let (signer, jwk) = signer();
    let header = json!({"alg": "EdDSA", "typ": "revocations+jwt", "kid": "k1"});
    let document = |epoch: u64, sessions: &[&str]| {
        let entry = |id: &&str| json!({"kind": "session", "id": id, "exp": FAR});
        let claims = json!({
            "iss": ISSUER, "iat": unix_now(), "epoch": epoch, "seq": sessions.len(), "keys": 1, "key_set": "e",
            "revocations": sessions.iter().map(entry).collect::<Vec<_>>(),
        });
        signer.token(header.to_string().as_bytes(), claims.to_string().as_bytes()).into_bytes()
    };
    let true_keys = || Said::Body(json!({"keys": [jwk]}).to_string().into_bytes());
    let forged = {
        let claims =
            json!({"iss": ISSUER, "iat": unix_now(), "epoch": EPOCH, "seq": 9, "keys": 1, "key_set": "e"});
        self::signer().0.token(header.to_string().as_bytes(), claims.to_string().as_bytes()).into_bytes()
    };
    let lies = [
        ("garbage", None, Some(Said::Body(b"<html>".to_vec()))),
        ("under another key", None, Some(Said::Body(forged))),
        ("an earlier epoch", None, Some(Said::Body(document(EPOCH - 1, &[])))),
        ("ten megabytes", None, Some(Said::Body(vec![b'x'; 10_000_000]))),
        ("a document that never ends", None, Some(Said::NeverEnds)),
        ("keys: garbage", Some(Said::Body(b"<html>".to_vec())), None),
        ("keys: an empty set", Some(Said::Body(br#"{"keys": []}"#.to_vec())), None),
        ("keys: ten megabytes", Some(Said::Body(vec![b' '; 10_000_000])), None),
        ("keys that never end", Some(Said::NeverEnds), None),
    ];
    figure(format!("{} lies in documents: the same", lies.len()));
    for (what, false_keys, false_document) in lies {
        let jwks = Arc::new(Mutex::new(true_keys()));
        let revocations = Arc::new(Mutex::new(Said::Body(document(EPOCH, &["s1"]))));
        let url = format!("http://{}", web(Arc::clone(&jwks), Arc::clone(&revocations)).await);
        let (folder, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let authority = Authority::start(settings(&url, None, folder.path()), stop.clone()).unwrap();
        let _stop = stop.drop_guard();
        let refuses = |session: &str| {
            let trust = authority.trust();
            trust.keys.contains("k1") && trust.revocations.matches(&claims(&signer, &jwk, session))
        };
        eventually("it is in step", || async { refuses("s1").then_some(()) }).await;
        let before = authority.freshness();
        if let Some(said) = false_keys {
            *jwks.lock().unwrap() = said;
            // Names another key set, so that it is asked for.
            let named = "no longer the one that is held";
            let claims = json!({
                "iss": ISSUER, "iat": unix_now(), "epoch": EPOCH, "seq": 1, "keys": 1, "key_set": named,
                "revocations": [{"kind": "session", "id": "s1", "exp": FAR}],
            });
            let document = signer.token(header.to_string().as_bytes(), claims.to_string().as_bytes());
            *revocations.lock().unwrap() = Said::Body(document.into_bytes());
        }
        if let Some(said) = false_document {
            *revocations.lock().unwrap() = said;
        }
        eventually(&format!("{what}: it is no longer heard"), || async {
            assert!(refuses("s1"), "{what}: the last good state was lost");
            let age = authority.freshness().age().unwrap();
            (age > Duration::from_millis(1500) && age > before.age().unwrap()).then_some(())
        })
        .await;
        *jwks.lock().unwrap() = true_keys();
        *revocations.lock().unwrap() = Said::Body(document(EPOCH, &["s1", "s2"]));
        eventually(&format!("{what}: in step again"), || async {
            assert!(refuses("s1"), "{what}: the last good state was lost");
            refuses("s2").then_some(())
        })
        .await;
    }
}
