//! Clients that prove themselves by a key of their own (`private_key_jwt`).

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use auth_service::authority::Authentication;
use auth_service::blocking::Blocking;
use auth_service::clients::{
    AssertionFault, ClientAuthentication, ClientChange, ClientKeys, ClientMethod, IssuerKeys, StoredKeys,
    SubjectPattern, TrustedIssuer, Workload,
};
use auth_service::clock::Clock;
use auth_service::error::{AdminFault, ErrorKind};
use auth_service::secret::PlainSecret;
use serde_json::{Value, json};

use super::InProcess;
use super::client_keys::{Key, jwks, merged, proved, stored};
use crate::outbound::{Server, ok};

const ISSUER: &str = "http://127.0.0.1:8080";

/// An authority with a client `billing` that signs with `key`.
struct Signed {
    signet: InProcess,
    key: Key,
}

impl Signed {
    fn new() -> Self {
        let (signet, key) = (InProcess::new(), Key::new("2026-12"));
        signet.client_by("billing", ClientMethod::PrivateKeyJwt(stored(&[&key])));
        Self { signet, key }
    }

    fn now(&self) -> u64 {
        self.signet.clock.now().seconds()
    }

    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.key.kid, "typ": "client-authentication+jwt"})
    }

    fn claims(&self) -> Value {
        let now = self.now();
        json!({"iss": "billing", "sub": "billing", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": format!("{now}")})
    }

    /// What becomes of an assertion with changes; `null` takes a member out.
    fn with(&self, header: &Value, claims: &Value) -> Result<(), String> {
        let (header, claims) = (merged(self.header(), header), merged(self.claims(), claims));
        proved(&self.signet, "billing", &self.key.sign(&header, &claims.to_string()))
    }
}

fn fault(fault: AssertionFault) -> Result<(), String> {
    Err(fault.to_string())
}

#[test]
fn an_assertion_proves_a_client_when_every_claim_of_it_is_right() {
    let signed = Signed::new();
    let now = signed.now();
    let of_claims = [
        (json!({}), Ok(())),
        (json!({"iss": null}), fault(AssertionFault::Issuer)),
        (json!({"iss": "other"}), fault(AssertionFault::Issuer)),
        (json!({"iss": ["billing"]}), fault(AssertionFault::Claim("iss"))),
        (json!({"sub": null}), fault(AssertionFault::Claim("sub"))),
        (json!({"sub": "Billing"}), fault(AssertionFault::Subject)),
        (json!({"sub": ""}), fault(AssertionFault::Claim("sub"))),
        (json!({"aud": null}), fault(AssertionFault::Claim("aud"))),
        (json!({"aud": [ISSUER]}), fault(AssertionFault::Audience)),
        (json!({"aud": [ISSUER, "https://other.example"]}), fault(AssertionFault::Audience)),
        (json!({"aud": []}), fault(AssertionFault::Audience)),
        (json!({"aud": format!("{ISSUER}/")}), fault(AssertionFault::Audience)),
        (json!({"aud": format!("{ISSUER}/oauth2/token")}), fault(AssertionFault::Audience)),
        (json!({"aud": {}}), fault(AssertionFault::Claim("aud"))),
        (json!({"exp": null}), fault(AssertionFault::Claim("exp"))),
        (json!({"exp": "soon"}), fault(AssertionFault::Claim("exp"))),
        (json!({"exp": -1}), fault(AssertionFault::Claim("exp"))),
        (json!({"exp": now - 9, "jti": "late"}), Ok(())),
        (json!({"exp": now - 10}), fault(AssertionFault::Expired)),
        (json!({"exp": now - 300}), fault(AssertionFault::Expired)),
        (json!({"exp": now + 310, "jti": "long"}), Ok(())),
        (json!({"exp": now + 311}), fault(AssertionFault::LivesTooLong)),
        (json!({"nbf": now + 8, "jti": "soon"}), Ok(())),
        (json!({"nbf": now + 11}), fault(AssertionFault::NotYetValid)),
        (json!({"nbf": now + 60}), fault(AssertionFault::NotYetValid)),
        (json!({"iat": now + 10, "jti": "ahead"}), Ok(())),
        (json!({"iat": now + 11}), fault(AssertionFault::NotYetValid)),
        (json!({"iat": null, "jti": "without iat"}), Ok(())),
        (json!({"jti": null}), fault(AssertionFault::Claim("jti"))),
        (json!({"jti": ""}), fault(AssertionFault::Claim("jti"))),
        (json!({"jti": 7}), fault(AssertionFault::Claim("jti"))),
        (json!({"jti": "x".repeat(257)}), fault(AssertionFault::Claim("jti"))),
        (json!({"jti": "x".repeat(256)}), Ok(())),
    ];
    for (claims, expected) in of_claims {
        assert_eq!(signed.with(&json!({}), &claims), expected, "{claims}");
    }
}

#[test]
fn an_assertion_proves_a_client_when_every_header_parameter_of_it_is_right() {
    let signed = Signed::new();
    let of_header = [
        (json!({"typ": "JWT"}), Ok(())),
        (json!({"typ": null}), Ok(())),
        (json!({"typ": "at+jwt"}), fault(AssertionFault::Type)),
        (json!({"typ": "dpop+jwt"}), fault(AssertionFault::Type)),
        (json!({"typ": "logout+jwt"}), fault(AssertionFault::Type)),
        (json!({"typ": 1}), fault(AssertionFault::Type)),
        (json!({"kid": null}), Ok(())),
        (json!({"kid": "other"}), fault(AssertionFault::UnknownKey)),
        (json!({"kid": 1}), fault(AssertionFault::Header("kid"))),
        (json!({"alg": null}), fault(AssertionFault::Header("alg"))),
        (json!({"jwk": {}}), fault(AssertionFault::Header("jwk"))),
        (json!({"jku": "https://evil.example"}), fault(AssertionFault::Header("jku"))),
        (json!({"x5c": []}), fault(AssertionFault::Header("x5c"))),
        (json!({"crit": ["exp"]}), fault(AssertionFault::Header("crit"))),
    ];
    for (place, (header, expected)) in of_header.into_iter().enumerate() {
        assert_eq!(signed.with(&header, &json!({"jti": format!("header {place}")})), expected, "{header}");
    }
    for alg in ["none", "HS256", "RS256", "ES256", "eddsa"] {
        let refused = signed.with(&json!({"alg": alg}), &json!({"jti": alg})).unwrap_err();
        assert!(refused.contains("algorithm does not fit the key"), "{alg}: {refused}");
    }
}

#[test]
fn an_assertion_of_another_key_or_with_two_readings_proves_nothing() {
    let signed = Signed::new();
    let (header, claims) = (signed.header(), signed.claims().to_string());
    let other = Key::new(signed.key.kid).sign(&header, &claims);
    assert!(proved(&signed.signet, "billing", &other).unwrap_err().contains("signature does not verify"));
    let twice = claims.replacen('{', "{\"sub\":\"other\",", 1);
    let refused = proved(&signed.signet, "billing", &signed.key.sign(&header, &twice)).unwrap_err();
    assert!(refused.contains("strict JSON"), "{refused}");
    for garbage in ["", ".", "..", "a.b.c", &"x".repeat(9000)] {
        assert!(proved(&signed.signet, "billing", garbage).unwrap_err().contains("is no token"), "{garbage}");
    }
    let good = signed.key.sign(&header, &claims);
    assert!(proved(&signed.signet, "nobody", &good).unwrap_err().contains("no enabled client"));
    signed.signet.client_by("other", ClientMethod::PrivateKeyJwt(stored(&[&signed.key])));
    assert_eq!(proved(&signed.signet, "other", &good), Err(AssertionFault::Issuer.to_string()));
    assert_eq!(proved(&signed.signet, "billing", &good), Ok(()), "a control");
}

#[test]
fn an_assertion_proves_a_client_once() {
    let signed = Signed::new();
    let assertion = signed.key.sign(&signed.header(), &signed.claims().to_string());
    assert_eq!(proved(&signed.signet, "billing", &assertion), Ok(()));
    for _ in 0..69 {
        assert_eq!(proved(&signed.signet, "billing", &assertion), Err(AssertionFault::Replayed.to_string()));
        signed.signet.clock.advance(Duration::from_secs(1));
    }
    signed.signet.clock.advance(Duration::from_secs(1));
    assert_eq!(proved(&signed.signet, "billing", &assertion), Err(AssertionFault::Expired.to_string()));
    // IDs are forgotten some seconds at a time.
    signed.signet.clock.advance(Duration::from_secs(16));
    let again = merged(signed.claims(), &json!({"jti": "1800000000"}));
    assert_eq!(
        proved(&signed.signet, "billing", &signed.key.sign(&signed.header(), &again.to_string())),
        Ok(()),
        "its ID is free again"
    );
}

#[test]
fn a_client_proves_itself_by_its_own_method_alone() {
    let signed = Signed::new();
    let (_, secret) = signed.signet.client_and_secret("web", |_| {});
    let claims = merged(signed.claims(), &json!({"iss": "web", "sub": "web"}));
    let refused = proved(&signed.signet, "web", &signed.key.sign(&signed.header(), &claims.to_string()));
    assert_eq!(refused, Err("client web is registered for the method client_secret_basic".to_owned()));
    let refused = |presented| {
        let outcome = signed.signet.authority.authenticate_client(&presented).unwrap();
        let Authentication::MaybeNew(refused) = outcome else { panic!("{presented:?}") };
        refused.cause
    };
    for text in ["", secret.expose()] {
        let secret = PlainSecret::new(text.to_owned());
        let cause = refused(ClientAuthentication::Secret { unverified_id: "billing".to_owned(), secret });
        assert_eq!(cause, "client billing is registered for the method private_key_jwt");
    }
    let cause = refused(ClientAuthentication::None { unverified_id: "billing".to_owned() });
    assert_eq!(cause, "client billing has to authenticate");
}

#[test]
fn a_client_changes_from_a_secret_to_keys_and_from_one_key_to_the_next() {
    let signed = Signed::new();
    let (web, secret) = signed.signet.client_and_secret("web", |_| {});
    let change = |keys: &[&Key]| {
        let method = Some(ClientMethod::PrivateKeyJwt(stored(keys)));
        let change = ClientChange { method, ..ClientChange::default() };
        signed.signet.authority.update_client(&web.id, change).unwrap();
        signed.signet.see_changes();
    };
    let by = |key: &Key, jti: &str| {
        let claims = merged(signed.claims(), &json!({"iss": "web", "sub": "web", "jti": jti}));
        let header = json!({"alg": "EdDSA", "kid": key.kid});
        proved(&signed.signet, "web", &key.sign(&header, &claims.to_string()))
    };
    change(&[&signed.key]);
    let entry = signed.signet.authority.audit_entries(0).unwrap().pop().unwrap();
    assert_eq!(entry.detail, "method private_key_jwt, keys 2026-12");
    let presented = ClientAuthentication::Secret { unverified_id: "web".to_owned(), secret };
    let by_secret = signed.signet.authority.authenticate_client(&presented).unwrap();
    assert!(matches!(by_secret, Authentication::MaybeNew(_)), "it has no secret any more");
    assert_eq!(by(&signed.key, "1"), Ok(()));
    let next = Key::new("2027-01");
    change(&[&signed.key, &next]);
    assert_eq!((by(&signed.key, "2"), by(&next, "3")), (Ok(()), Ok(())), "both, for the change");
    change(&[&next]);
    assert_eq!(by(&signed.key, "4"), Err(AssertionFault::UnknownKey.to_string()));
    assert_eq!(by(&next, "5"), Ok(()));
    let renewed = signed.signet.authority.renew_client_secret(&web.id, Duration::ZERO).unwrap_err();
    assert_eq!(renewed.kind, ErrorKind::Admin(AdminFault::Invalid));
    assert!(renewed.cause.contains("private_key_jwt"), "{}", renewed.cause);
}

#[test]
fn without_a_key_id_the_only_key_of_the_algorithm_is_meant() {
    let signed = Signed::new();
    let second = Key::new("second");
    signed.signet.client_by("two-keys", ClientMethod::PrivateKeyJwt(stored(&[&signed.key, &second])));
    let claims = merged(signed.claims(), &json!({"iss": "two-keys", "sub": "two-keys"})).to_string();
    let unnamed = signed.key.sign(&json!({"alg": "EdDSA"}), &claims);
    assert_eq!(proved(&signed.signet, "two-keys", &unnamed), Err(AssertionFault::UnknownKey.to_string()));
}

#[test]
fn keys_that_cannot_verify_are_not_registered() {
    let key = Key::new("a");
    let with = |member: &str, value: Value| {
        let jwk = merged(key.jwk(), &json!({member: value}));
        StoredKeys::parse(json!({"keys": [jwk]}).to_string()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with("use", json!("sig")), Ok(()), "a control");
    for (member, value, why) in [
        ("d", json!("AAAA"), "private or symmetric"),
        ("kty", json!("oct"), "private or symmetric"),
        ("kid", Value::Null, "no `kid`"),
        ("x", json!("AAAA"), "not an Ed25519"),
        ("alg", json!("ES256"), "does not fit"),
        ("use", json!("enc"), "no key that can verify"),
        ("crv", json!("X25519"), "no key that can verify"),
    ] {
        let refused = with(member, value.clone()).unwrap_err();
        assert!(refused.contains(why), "{member} {value}: {refused}");
    }
    let signet = InProcess::new();
    for url in [
        "http://keys.example/",
        "https://10.0.0.1/jwks",
        "https://user@keys.example/",
        "keys.example",
        "file:///keys",
    ] {
        let refused =
            signet.try_client_by("bad", ClientMethod::PrivateKeyJwt(ClientKeys::At(url.to_owned())));
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Admin(AdminFault::Invalid), "{url}");
    }
}

/// An authority with a client that publishes its keys, and a runtime to fetch them.
struct Published {
    signed: Signed,
    runtime: tokio::runtime::Runtime,
    blocking: Blocking,
}

impl Published {
    fn at(url: &str) -> Self {
        Self::by_method(ClientMethod::PrivateKeyJwt(ClientKeys::At(url.to_owned())), None)
    }

    fn by_method(method: ClientMethod, trusted: Option<&TrustedIssuer>) -> Self {
        let signet = InProcess::with(|settings| {
            settings.outbound.networks = service_kit::networks::Networks::parse("127.0.0.1").unwrap();
        });
        if let Some(trusted) = trusted {
            signet.authority.create_trusted_issuer(trusted).map_err(|error| error.cause).unwrap();
        }
        signet.client_by("billing", method);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let blocking = Blocking::new(runtime.handle().clone(), signet.authority.clone());
        Self { signed: Signed { signet, key: Key::new("first") }, runtime, blocking }
    }

    fn presented(&self, key: &Key, jti: &str) -> ClientAuthentication {
        self.presented_with(key, &json!({"jti": jti}))
    }

    fn presented_with(&self, key: &Key, change: &Value) -> ClientAuthentication {
        let claims = merged(self.signed.claims(), change);
        let assertion = key.sign(&json!({"alg": "EdDSA", "kid": key.kid}), &claims.to_string());
        let assertion = PlainSecret::new(assertion);
        ClientAuthentication::Assertion { unverified_id: "billing".to_owned(), assertion }
    }

    fn by(&self, key: &Key, jti: &str) -> Result<(), ErrorKind> {
        // A caller that is refused waits for a poll, of which there is none here.
        let outcome = self.runtime.block_on(self.blocking.authenticate(self.presented(key, jti)));
        outcome.map(drop).map_err(|error| error.kind)
    }

    fn pass(&self, seconds: u64) {
        self.signed.signet.clock.advance(Duration::from_secs(seconds));
    }
}

#[test]
fn keys_that_a_client_publishes_are_fetched_when_they_are_needed_and_not_more_often() {
    let server = Server::answering("");
    let published = Published::at(&server.url("/jwks.json"));
    let (first, second) = (&published.signed.key, Key::new("second"));
    server.answer(ok(&jwks(&[first])));
    for n in 0..5 {
        assert_eq!(published.by(first, &n.to_string()), Ok(()));
    }
    assert_eq!(server.connections(), 1, "they are held");
    // The client changes its key.
    server.answer(ok(&jwks(&[first, &second])));
    assert!(published.by(&second, "early").is_err(), "a stranger who names keys makes no fetch of each");
    assert_eq!(server.connections(), 1);
    published.pass(60);
    assert_eq!(published.by(&second, "a"), Ok(()));
    assert_eq!(server.connections(), 2);
    // It withdraws the first.
    server.answer(ok(&jwks(&[&second])));
    assert_eq!(published.by(first, "b"), Ok(()), "until they are fetched again");
    published.pass(600);
    assert!(published.by(first, "c").is_err());
    assert_eq!(published.by(&second, "d"), Ok(()));
    assert_eq!(server.connections(), 3);
}

#[test]
fn the_keys_of_a_client_that_is_away_are_used_for_a_day() {
    let server = Server::answering("");
    let published = Published::at(&server.url("/jwks.json"));
    let key = &published.signed.key;
    let unavailable = Err(ErrorKind::Unavailable);
    assert_eq!(published.by(key, "1"), unavailable, "it was never there");
    assert_eq!(published.by(key, "1"), unavailable);
    assert_eq!(server.connections(), 1, "nobody asks at each request");
    published.pass(5);
    server.answer(ok(&jwks(&[key])));
    assert_eq!(published.by(key, "1"), Ok(()));
    let broken = ["", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", &ok("{}"), &ok(&jwks(&[]))];
    for (hour, answer) in broken.into_iter().enumerate() {
        server.answer(answer);
        published.pass(3600);
        assert_eq!(published.by(key, &format!("hour {hour}")), Ok(()), "{answer:?}");
    }
    published.pass(86_400 - 4 * 3600);
    assert_eq!(published.by(key, "late"), unavailable, "at last nobody can know whether they still hold");
    published.pass(5);
    server.answer(ok(&jwks(&[key])));
    assert_eq!(published.by(key, "back"), Ok(()));
}

/// What a server does that is slow: it is told of each connection, and answers when it is told to.
struct SlowServer {
    url: String,
    connected: mpsc::Receiver<()>,
    answer: mpsc::Sender<String>,
}

impl SlowServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let (connecting, connected) = mpsc::channel();
        let (answer, answers) = mpsc::channel::<String>();
        // It ends with the test, which drops its ends of the channels.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), Ok(())) = (stream, connecting.send(())) else { return };
                let Ok(answer) = answers.recv() else { return };
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, connected, answer }
    }
}

#[test]
fn a_client_whose_keys_take_too_long_is_not_waited_for_again_and_again() {
    let server = SlowServer::start();
    let published = Published::at(&server.url);
    let clock = published.signed.signet.clock.clone();
    let SlowServer { connected, answer, .. } = server;
    let counting = std::thread::spawn(move || {
        // Each attempt takes as long as the pause after one that failed.
        let attempts = connected.iter().inspect(|()| {
            clock.advance(Duration::from_secs(5));
            let _ = answer.send(String::new());
        });
        attempts.take(2).count()
    });
    let outcome = published.by(&published.signed.key, "1");
    assert_eq!(outcome, Err(ErrorKind::Unavailable));
    assert!(!counting.is_finished(), "it was asked once");
}

#[test]
fn a_caller_that_goes_away_ends_no_fetch_that_others_wait_for() {
    let server = SlowServer::start();
    let published = Published::at(&server.url);
    let key = &published.signed.key;
    let gone = async {
        let first = published.blocking.authenticate(published.presented(key, "1"));
        let _ = tokio::time::timeout(Duration::from_millis(200), first).await;
    };
    published.runtime.block_on(gone);
    server.connected.recv().unwrap();
    server.answer.send(ok(&jwks(&[key]))).unwrap();
    assert_eq!(published.by(key, "2"), Ok(()));
    assert!(server.connected.try_recv().is_err(), "by the answer to the first");
}

#[test]
fn the_keys_of_a_platform_are_those_that_its_own_metadata_names() {
    let server = Server::answering("");
    let issuer = server.url("");
    let subject = SubjectPattern::parse("repo:octo/app:ref").unwrap();
    let workload = Workload { issuer: issuer.clone(), subject, claims: BTreeMap::new() };
    let trusted = TrustedIssuer { issuer: issuer.clone(), keys: IssuerKeys::Discovered, audience: None };
    let published = Published::by_method(ClientMethod::Workload(workload), Some(&trusted));
    // One document is metadata and key set, as the server answers each path the same.
    let document = |issuer: &str, keys: &[&Key]| {
        let mut document: Value = serde_json::from_str(&jwks(keys)).unwrap();
        document["issuer"] = issuer.into();
        document["jwks_uri"] = server.url("/keys").into();
        ok(&document.to_string())
    };
    let by = |key: &Key| {
        let presented = published.presented_with(key, &json!({"iss": issuer, "sub": "repo:octo/app:ref"}));
        let outcome = published.runtime.block_on(published.blocking.authenticate(presented));
        outcome.map(drop).map_err(|error| error.kind)
    };
    let (first, next) = (&published.signed.key, Key::new("next"));
    server.answer(document(&format!("{issuer}/"), &[first]));
    assert_eq!(by(first), Err(ErrorKind::Unavailable), "the metadata of another issuer");
    published.pass(5);
    server.answer(document(&issuer, &[first]));
    assert_eq!((by(first), by(first)), (Ok(()), Ok(())));
    // The platform changes its keys.
    server.answer(document(&issuer, &[&next]));
    published.pass(60);
    assert_eq!(by(&next), Ok(()));
    assert!(by(first).is_err());
}
