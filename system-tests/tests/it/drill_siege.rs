//! Everything at once that could keep a revocation from those who must know of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use rustix::process::Signal;
use serde_json::json;
use signet_proto::auth::v1::WatchRevocationsRequest;
use signet_proto::auth::v1::revocation_service_client::RevocationServiceClient;
use system_tests::bystander::Times;
use system_tests::database::execute;
use system_tests::drill::{figure, scale};
use system_tests::processes::{Service, run};
use system_tests::protocol::{channel, unverified_claims, with_basic};
use system_tests::proxy::Proxy;
use system_tests::system::{GATEWAY, PASSWORD, USER, resource_env};
use system_tests::{Database, Protocol, System, eventually, eventually_within, on_both_databases};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::accounts::postbox::Postbox;
use super::django::{Django, PROJECT};
use super::lost_replicas::{slow_down, waits_in_trigger};

on_both_databases! {
    f36_revocation_under_siege
}

/// From the answer to a logout until a verifier refuses the token. A debug build on a busy machine has more.
fn bar() -> Duration {
    scale(Duration::from_secs(3), Duration::from_secs(1))
}

/// Until a refusal for load is there.
fn refusal_bar() -> Duration {
    scale(Duration::from_millis(500), Duration::from_millis(50))
}

async fn f36_revocation_under_siege(database: Database) {
    let folder = tempfile::tempdir().unwrap();
    let url = database.fresh(folder.path());
    let (near, far) = (Ways::to(database, &url).await, Ways::to(database, &url).await);
    let postbox = Postbox::start();
    let settings = [
        ("AUTH__DATABASE__URL", near.url.as_str()),
        ("AUTH__MAIL__URL", postbox.url.as_str()),
        ("AUTH__TRUSTED_PROXIES", "127.0.0.1"),
        ("AUTH__LIMITS__PAIR", "10"),
        ("AUTH__LIMITS__ACCOUNT", "20"),
        ("AUTH__LIMITS__CLIENT_IP", "100"),
    ];
    let system = Arc::new(System::with(database, &settings).await);
    let verifiers = Verifiers::start(&system).await;
    let mut logged_in = Vec::new();
    for _ in 0..scale(20, 100) {
        logged_in.push(Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap());
    }
    let first = &logged_in[0].access;
    eventually("every verifier accepts", || async {
        (verifiers.answers(first).await == [200, 200, 200]).then_some(())
    })
    .await;
    let lost = Lost::lose(database, &system, (&url, &far)).await;

    let siege = Siege::begin(&system, &url).await;
    eventually_within(Duration::from_secs(60), "something is refused for load", || async {
        (!siege.shed.0.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    let (mut answered, mut known) = (Vec::new(), Vec::new());
    for pair in &logged_in {
        let begun = Instant::now();
        let logout = || system.try_logout(&pair.refresh);
        eventually_within(Duration::from_secs(5), "a logout is taken", logout).await;
        answered.push(begun.elapsed());
        known.push(verifiers.refuse(&pair.access).await);
    }
    let shed = siege.end().await;
    drop(lost);

    let (answered, known, shed) = (Times::of(answered), Times::of(known), shed.times());
    figure(format!(
        "{} logouts: answered in {:.0?} at most, refused by feed, document and Django {:.0?} later at most ({:.0?} at p50); \
         {} refusals for load, p99 {:.1?}",
        logged_in.len(),
        answered.percentile(100),
        known.percentile(100),
        known.percentile(50),
        shed.1,
        shed.0.percentile(99)
    ));
    assert!(known.percentile(100) <= bar(), "a revoked token was accepted for {:?}", known.percentile(100));
    assert!(shed.0.percentile(99) <= refusal_bar(), "refused after {:?}", shed.0.percentile(99));
    eventually("it is ready", || async {
        let answer = system.http.get(system.auth_url("/readyz")).send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
}

/// The way to the database, with the latency of a network where there is one.
struct Ways {
    url: String,
    proxy: Option<Proxy>,
}

impl Ways {
    async fn to(database: Database, url: &str) -> Self {
        if database == Database::Sqlite {
            return Self { url: url.to_owned(), proxy: None };
        }
        let server = url.split('@').nth(1).unwrap().split('/').next().unwrap();
        // There and back.
        let proxy = Proxy::slow(server.parse().unwrap(), Duration::from_millis(1)).await;
        Self { url: url.replace(server, &proxy.address.to_string()), proxy: Some(proxy) }
    }
}

/// A replica that is paused in the middle of a transaction, and one that is cut off. Not on SQLite, where all are processes
/// of one machine, and nobody can take the file's lock from one that was paused with it.
struct Lost {
    services: Vec<Service>,
}

impl Lost {
    async fn lose(database: Database, system: &System, (url, far): (&str, &Ways)) -> Self {
        let Some(proxy) = &far.proxy else {
            assert_eq!(database, Database::Sqlite);
            return Self { services: Vec::new() };
        };
        let folder = system.folder.path();
        let paused = Service::start("auth-service", folder, &system.auth_env).await;
        let mut env = system.auth_env.clone();
        env.insert("AUTH__DATABASE__URL".to_owned(), far.url.clone());
        let cut_off = Service::start("auth-service", folder, &env).await;

        let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
        slow_down(url, "revocations", "id", unverified_claims(&pair.access)["sid"].as_str().unwrap());
        let logout = system.http.post(format!("http://{}/api/token/blacklist/", paused.http));
        tokio::spawn(logout.json(&json!({"refresh": pair.refresh})).send());
        eventually("it is in the middle of its transaction", || async {
            waits_in_trigger(url).then_some(())
        })
        .await;
        paused.signal(Signal::STOP);
        proxy.hold();
        Self { services: vec![paused, cut_off] }
    }
}

impl Drop for Lost {
    fn drop(&mut self) {
        // A process that is paused does not end before it goes on.
        self.services.iter().for_each(|service| service.signal(Signal::CONT));
    }
}

/// One of each kind that follows: by the feed, by the document, and in Django.
struct Verifiers {
    system: Arc<System>,
    by_document: Service,
    django: Django,
    _folders: [tempfile::TempDir; 2],
}

impl Verifiers {
    async fn start(system: &Arc<System>) -> Self {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let mut env = resource_env(&system.auth, folders[0].path());
        env.insert("RESOURCE__LOG__LEVEL".to_owned(), "info".to_owned());
        let by_document = Service::start("resource-service", folders[0].path(), &env).await;
        let project = PROJECT
            .replace(
                "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication",
                "signet_client.django.authentication.SignetStatelessAuthentication",
            )
            .replace("    SIMPLE_JWT={", "    SIGNET={\"URL\": authority},\n    SIMPLE_JWT={");
        let arguments = ["https://auth.test", "notes", &system.auth_url("")];
        let django = Django::run(folders[1].path(), &project, &arguments);
        Self { system: Arc::clone(system), by_document, django, _folders: folders }
    }

    async fn answers(&self, token: &str) -> [u16; 3] {
        let notes =
            self.system.http.get(format!("http://{}/notes", self.by_document.http)).bearer_auth(token);
        let by_document = async { notes.send().await.map_or(0, |answer| answer.status().as_u16()) };
        let django = async { self.django.whoami(Some(token)).await.map_or(0, |(status, _)| status) };
        let (by_feed, by_document, django) =
            tokio::join!(self.system.notes_over_http(token), by_document, django);
        [by_feed, by_document, django]
    }

    /// How long it takes until all of them refuse it.
    async fn refuse(&self, token: &str) -> Duration {
        let begun = Instant::now();
        eventually_within(Duration::from_secs(20), "all refuse", || async {
            (self.answers(token).await == [401, 401, 401]).then_some(())
        })
        .await;
        begun.elapsed()
    }
}

/// What was refused for load: how long that took. Without `Retry-After` it is none.
#[derive(Clone, Default)]
struct Shed(Arc<Mutex<Vec<Duration>>>);

impl Shed {
    /// Sends, and notes what is refused: the status.
    async fn send(&self, request: RequestBuilder) -> Option<u16> {
        let begun = Instant::now();
        let answer = request.timeout(Duration::from_secs(10)).send().await.ok()?;
        let status = answer.status().as_u16();
        if status == 429 || status == 503 {
            assert!(
                answer.headers().contains_key("retry-after"),
                "{status} of {} says nothing",
                answer.url()
            );
            self.0.lock().unwrap().push(begun.elapsed());
        }
        Some(status)
    }

    fn times(&self) -> (Times, usize) {
        let times = self.0.lock().unwrap().clone();
        let count = times.len();
        assert!(count > 0, "nothing was refused: that was no siege");
        (Times::of(times), count)
    }
}

/// Pause between two requests of one attacker: many of them, and each is only one.
fn pace() -> Duration {
    scale(Duration::from_millis(100), Duration::from_millis(20))
}

struct Siege {
    tasks: JoinSet<()>,
    shed: Shed,
}

impl Siege {
    async fn begin(system: &Arc<System>, url: &str) -> Self {
        let mut siege = Self { tasks: JoinSet::new(), shed: Shed::default() };
        siege.end_sessions(system, url);
        siege.revoke_own_tokens(system);
        siege.call_by_unknown_ids(system);
        siege.guess_and_ask_for_emails(system);
        siege.abandon_long_polls(system.auth.http);
        siege.watch_without_the_right(system);
        siege
    }

    /// # Panics
    /// When an attacker saw what nobody should.
    async fn end(mut self) -> Shed {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()), "an attacker panicked");
        }
        self.shed
    }

    /// Again and again, from one connection, until the siege is over.
    fn attack<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        attack: impl Fn(u64, Shed) -> F + Send + 'static,
    ) {
        let shed = self.shed.clone();
        self.tasks.spawn(async move {
            for turn in 0.. {
                attack(turn, shed.clone()).await;
                tokio::time::sleep(pace()).await;
            }
        });
    }

    /// All those of one account, by one command.
    fn end_sessions(&mut self, system: &Arc<System>, url: &str) {
        let heavy = system_tests::system::cli(
            system.folder.path(),
            &system.auth_env,
            &["user", "create", "heavy", "--password-stdin"],
            PASSWORD,
        );
        let user =
            heavy["user_id"].as_str().or(heavy["id"].as_str()).expect("the id of the account").to_owned();
        let count = scale(5_000, 50_000);
        let numbers = match url.starts_with("sqlite") {
            true => {
                format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})")
            }
            false => format!("WITH n (i) AS (SELECT generate_series(1, {count}))"),
        };
        let now = shared_claims::clock::unix_now() * 1000;
        let later = now + 3_600_000;
        execute(url, &format!(
            "INSERT INTO sessions (id, user_id, client_id, scope, audience, auth_time, amr, created_at, idle_expires_at,
                                   expires_at, generation, rotated_at)
             {numbers} SELECT 'heavy-' || i, '{user}', 'simplejwt', '', 'notes', {now}, 'pwd', {now}, {later}, {later}, 0, {now}
             FROM n"
        ))
        .expect("so many sessions");
        let system = Arc::clone(system);
        self.tasks.spawn_blocking(move || {
            let ended = run(
                "auth-service",
                &["user", "disable", "heavy"],
                system.folder.path(),
                &system.auth_env,
                "",
            );
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        });
    }

    fn revoke_own_tokens(&mut self, system: &Arc<System>) {
        for _ in 0..4 {
            let system = Arc::clone(system);
            self.attack(move |_, shed| {
                let system = Arc::clone(&system);
                async move {
                    let credentials = (GATEWAY, system.gateway_secret.as_str());
                    let Ok(token) = Protocol::Http.client_token(&system, credentials, ("", "notes")).await
                    else {
                        return;
                    };
                    let request = system.http.post(system.auth_url("/oauth2/revoke"));
                    let request =
                        request.basic_auth(GATEWAY, Some(&system.gateway_secret)).form(&[("token", token)]);
                    let status = shed.send(request).await;
                    assert!(matches!(status, None | Some(200 | 429 | 503)), "{status:?}");
                }
            });
        }
    }

    fn call_by_unknown_ids(&mut self, system: &Arc<System>) {
        for connection in 0..100 {
            let (http, url) = (reqwest::Client::new(), system.auth_url("/oauth2/token"));
            self.attack(move |turn, shed| {
                let request =
                    http.post(&url).basic_auth(format!("nobody-{connection}-{turn}"), Some("secret"));
                let request = request.form(&[("grant_type", "client_credentials")]);
                async move {
                    let status = shed.send(request).await;
                    assert!(matches!(status, None | Some(401 | 429 | 503)), "{status:?}");
                }
            });
        }
    }

    fn guess_and_ask_for_emails(&mut self, system: &Arc<System>) {
        for attacker in 0..8_u64 {
            let (http, url) = (system.http.clone(), system.auth_url(""));
            self.attack(move |turn, shed| {
                let from = |request: RequestBuilder| {
                    request.header(
                        "X-Forwarded-For",
                        format!("10.{attacker}.{}.{}", turn / 250 % 250, turn % 250),
                    )
                };
                let guess = json!({"username": "victim", "password": format!("guess {turn}")});
                let guess = from(http.post(format!("{url}/api/token/"))).json(&guess);
                let letter = json!({"email": format!("nobody-{attacker}-{turn}@example.org")});
                let letter = from(http.post(format!("{url}/api/account/v1/password/reset"))).json(&letter);
                async move {
                    let status = shed.send(guess).await;
                    assert!(matches!(status, None | Some(401 | 429 | 503)), "{status:?}");
                    let status = shed.send(letter).await;
                    assert!(matches!(status, None | Some(202 | 429 | 503)), "{status:?}");
                }
            });
        }
    }

    fn abandon_long_polls(&mut self, authority: SocketAddr) {
        self.attack(move |_, _| async move {
            let Ok(mut stream) = TcpStream::connect(authority).await else { return };
            let poll = "GET /revocations?wait=30 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"x\"\r\n\r\n";
            let _ = stream.write_all(poll.as_bytes()).await;
        });
    }

    fn watch_without_the_right(&mut self, system: &Arc<System>) {
        let system = Arc::clone(system);
        self.attack(move |_, _| {
            let system = Arc::clone(&system);
            async move {
                let mut client = RevocationServiceClient::new(channel(system.auth.grpc).await);
                let request = WatchRevocationsRequest { epoch: 0, after_seq: 0 };
                let request = with_basic(request, GATEWAY, &system.gateway_secret);
                let refused = client.watch(request).await.map(|_| ()).unwrap_err();
                let code = refused.code();
                assert!(
                    matches!(
                        code,
                        tonic::Code::PermissionDenied
                            | tonic::Code::ResourceExhausted
                            | tonic::Code::Unavailable
                    ),
                    "{refused}"
                );
            }
        });
    }
}
