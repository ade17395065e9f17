//! The claims webhook: what it says is in tokens, and what it must not say is not; it may hang, lie or be away.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::protocol::{unverified_claims, unverified_header};
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, System};

/// What it does with a question.
#[derive(Debug, Clone)]
enum Manner {
    Says(Value),
    Answers(&'static str),
    Hangs,
}

/// A service of someone's: it answers one question a connection, and keeps them.
struct Hook {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    questions: Arc<Mutex<Vec<String>>>,
}

impl Hook {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, questions) = (Arc::new(Mutex::new(manner)), Arc::<Mutex<Vec<String>>>::default());
        let (how, asked) = (Arc::clone(&manner), Arc::clone(&questions));
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (how, asked) = (how.lock().unwrap().clone(), Arc::clone(&asked));
                thread::spawn(move || answer(connection.unwrap(), &how, &asked));
            }
        });
        Self { address, manner, questions }
    }

    fn turn(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }

    async fn system(&self, settings: &[(&str, &str)]) -> System {
        let url = format!("http://{}/claims", self.address);
        System::with(Database::Sqlite, &[&[("AUTH__CLAIMS_WEBHOOK__URL", url.as_str())], settings].concat())
            .await
    }
}

fn answer(connection: TcpStream, how: &Manner, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    asked.lock().unwrap().push(String::from_utf8(body).unwrap());
    let text = match how {
        Manner::Hangs => {
            // Until the other side has had enough.
            let mut rest = Vec::new();
            let _ = reader.read_to_end(&mut rest);
            return;
        }
        Manner::Says(claims) => {
            let body = claims.to_string();
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        }
        Manner::Answers(text) => (*text).to_owned(),
    };
    let _ = (&connection).write_all(text.as_bytes());
}

async fn claims(system: &System) -> Option<Value> {
    let form = [("username", USER), ("password", PASSWORD)];
    let answer = system.http.post(system.auth_url("/api/token/")).form(&form).send().await.unwrap();
    if answer.status() == 503 {
        assert_eq!(answer.headers()["retry-after"], "1");
        return None;
    }
    let pair: Value = answer.json().await.unwrap();
    Some(unverified_claims(pair["access"].as_str().unwrap()))
}

#[tokio::test]
async fn what_it_says_is_in_tokens_and_what_is_reserved_is_not() {
    let hook =
        Hook::start(Manner::Says(json!({"plan": "gold", "sub": "somebody", "roles": ["root"], "exp": 1})));
    let system = hook.system(&[]).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let said = unverified_claims(&pair.access);
    assert_eq!(said["plan"], "gold");
    assert_ne!(said["sub"], "somebody");
    assert_ne!(said["roles"], json!(["root"]));
    assert!(system.notes_accept(&pair.access).await);

    let question = hook.questions.lock().unwrap()[0].clone();
    assert_eq!(unverified_header(&question)["typ"], "claims-request+jwt");
    let asked = unverified_claims(&question);
    assert_eq!((&asked["username"], &asked["sub"]), (&json!(USER), &said["sub"]));
    assert_eq!(asked["aud"], format!("http://{}/claims", hook.address));
    assert!(!system.notes_accept(&question).await, "a question is no access token");

    hook.turn(Manner::Says(json!({"plan": "iron"})));
    let next = Protocol::Http.refresh(&system, &pair.refresh).await.unwrap();
    assert_eq!(unverified_claims(&next.access)["plan"], "gold", "an answer is good for a minute");
    assert_eq!(hook.asked(), 1);
}

#[tokio::test]
async fn a_refresh_that_cannot_be_answered_spends_nothing() {
    let hook = Hook::start(Manner::Says(json!({"plan": "gold"})));
    let system =
        hook.system(&[("AUTH__CLAIMS_WEBHOOK__CACHE", "0s"), ("AUTH__TOKENS__REFRESH_GRACE", "0s")]).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    hook.turn(Manner::Hangs);
    let begun = std::time::Instant::now();
    let body = json!({"refresh": pair.refresh});
    let refused = system.http.post(system.auth_url("/api/token/refresh/")).json(&body).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(begun.elapsed() < Duration::from_secs(5), "it is not waited for without end");
    hook.turn(Manner::Says(json!({"plan": "silver"})));
    let next = Protocol::Http.refresh(&system, &pair.refresh).await.expect("the token was not spent");
    assert_eq!(unverified_claims(&next.access)["plan"], "silver");
}

#[tokio::test]
async fn what_becomes_of_a_login_when_it_hangs_lies_or_is_away_is_as_it_is_set() {
    let lies = [
        Manner::Hangs,
        Manner::Answers("HTTP/1.1 500 no\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"),
        Manner::Answers(
            "HTTP/1.1 302 elsewhere\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        Manner::Answers("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\n[1]"),
        Manner::Answers("HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnonsense!"),
        Manner::Answers("garbage"),
        Manner::Says(json!({"long": "x".repeat(9000)})),
    ];
    for (on_failure, first, later) in [
        ("refuse", None, None),
        ("without", Some(Value::Null), Some(Value::Null)),
        ("stale", None, Some(json!("gold"))),
    ] {
        let hook = Hook::start(Manner::Hangs);
        let settings =
            [("AUTH__CLAIMS_WEBHOOK__CACHE", "0s"), ("AUTH__CLAIMS_WEBHOOK__ON_FAILURE", on_failure)];
        let system = hook.system(&settings).await;
        let plan = async || claims(&system).await.map(|claims| claims["plan"].clone());
        assert_eq!(plan().await, first, "{on_failure}: it never answered");
        hook.turn(Manner::Says(json!({"plan": "gold"})));
        assert_eq!(plan().await, Some(json!("gold")));
        for lie in &lies {
            hook.turn(lie.clone());
            assert_eq!(plan().await, later, "{on_failure}: {lie:?}");
        }
        assert!(!system.auth.log().contains("panicked"));
        assert!(system.auth.metrics_text().await.contains("signet_claims_webhook_failures_total 8"));
    }
}
