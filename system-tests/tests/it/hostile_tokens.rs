//! The attack catalogue of `system_tests::hostile` at every place that evaluates a token: each refuses what
//! must be refused, accepts the controls, agrees with the others, and says nothing of what stood inside.

use std::net::TcpListener;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use shared_claims::revocations::RevocationDocument;
use shared_claims::{KeySet, Verifier, public_keys};
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use signet_proto::auth::v1::{IntrospectRequest, RefreshRequest, VerifyRequest};
use system_tests::hostile::{Case, Expected, Forge, Signer, high_s_twin};
use system_tests::processes::Env;
use system_tests::protocol::{as_gateway, channel, unverified_claims, with_basic};
use system_tests::system::{GATEWAY, NOTES, PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::django::example;
use super::gateway::{Gateway, Nginx, echo};

const ISSUER: &str = "https://auth.test";
/// Stands in every token; must stand in no answer and no log.
const MARKER: &str = "5f0e6a7c-marker-of-the-corpus";

/// Where a token is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Verifier,
    NotesOverHttp,
    NotesOverGrpc,
    SimplejwtVerify,
    Introspection,
    GrpcVerify,
    GrpcIntrospection,
}

const PLACES: [Place; 7] = [
    Place::Verifier,
    Place::NotesOverHttp,
    Place::NotesOverGrpc,
    Place::SimplejwtVerify,
    Place::Introspection,
    Place::GrpcVerify,
    Place::GrpcIntrospection,
];

/// What a place made of a token.
enum Outcome {
    Accepted,
    /// With all that the caller gets to read.
    Refused(String),
    /// A header cannot carry these characters: no client could send it.
    CannotBeSent,
}

/// A system whose signing keys the test knows, and open connections to every place.
struct Range {
    system: System,
    forge: Forge,
    keys: KeySet,
    jwks: JwkSet,
    tokens: TokenServiceClient<Channel>,
    notes: NotesServiceClient<Channel>,
    /// Where `jku` and `x5u` point.
    trap: TcpListener,
}

impl Range {
    async fn open() -> Self {
        Self::within(&Env::new()).await
    }

    /// With an environment of the services.
    async fn within(environment: &Env) -> Self {
        let system = System::within(environment, Database::Sqlite, &[]).await;
        let (mut es256, mut eddsa) = (Signer::es256(), Signer::eddsa());
        es256.kid = import(&system, &es256, "ES256");
        eddsa.kid = import(&system, &eddsa, "EdDSA");
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let forge = Forge {
            issuer: ISSUER.to_owned(),
            audience: NOTES.to_owned(),
            client_id: GATEWAY.to_owned(),
            scope: "notes:read".to_owned(),
            now: unix_now(),
            marker: MARKER.to_owned(),
            trap_url: format!("http://{}", trap.local_addr().unwrap()),
            es256,
            eddsa,
            attacker: Signer::es256(),
        };
        let good = forge.good();
        eventually("the notes have the imported keys", || async {
            (system.notes_over_http(&good).await == 200).then_some(())
        })
        .await;
        let answer = system.http.get(system.auth_url("/.well-known/jwks.json")).send().await.unwrap();
        let jwks = answer.bytes().await.unwrap();
        Self {
            keys: KeySet::from_jwks(&jwks).unwrap(),
            jwks: serde_json::from_slice(&jwks).unwrap(),
            tokens: TokenServiceClient::new(channel(system.auth.grpc).await),
            notes: NotesServiceClient::new(channel(system.resource.grpc).await),
            system,
            forge,
            trap,
        }
    }

    /// A true token that is bound to a key, as if that were what `member` of `cnf` names.
    fn bound_to(&self, member: &str, holder: &Signer) -> String {
        let mut claims = self.forge.claims();
        claims.insert("cnf".to_owned(), json!({member: thumbprint(holder)}));
        self.forge.sign(&self.forge.header(), &claims)
    }

    async fn evaluate(&self, place: Place, token: &str) -> Outcome {
        match place {
            Place::Verifier => match Verifier::new(ISSUER, NOTES).verify(token, &self.keys, unix_now()) {
                Ok(_) => Outcome::Accepted,
                Err(refusal) => Outcome::Refused(refusal.to_string()),
            },
            Place::NotesOverHttp => self.notes_over_http(token).await,
            Place::NotesOverGrpc => self.notes_over_grpc(token).await,
            Place::SimplejwtVerify => {
                let request = self.system.http.post(self.system.auth_url("/api/token/verify/"));
                let answer = request.json(&json!({"token": token})).send().await.unwrap();
                let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
                match (status, text.as_str()) {
                    (200, "{}") => Outcome::Accepted,
                    // Blank after trimming, and over the body cap: refused before anything is parsed.
                    (401 | 400 | 413, _) => Outcome::Refused(text),
                    other => panic!("verify: {other:?}"),
                }
            }
            Place::Introspection => {
                let request = self.system.http.post(self.system.auth_url("/oauth2/introspect"));
                let request = request.basic_auth(NOTES, Some(&self.system.notes_secret));
                let answer = request.form(&[("token", token)]).send().await.unwrap();
                let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
                match status {
                    200 if text == r#"{"active":false}"# => Outcome::Refused(text),
                    200 => Outcome::Accepted,
                    400 | 413 => Outcome::Refused(text),
                    other => panic!("introspection: {other} {text}"),
                }
            }
            Place::GrpcVerify => {
                let call = as_gateway(&self.system, VerifyRequest { token: token.to_owned() });
                refusal_over_grpc(self.tokens.clone().verify(call).await.map(drop))
            }
            Place::GrpcIntrospection => {
                let message = IntrospectRequest { token: token.to_owned() };
                let call = with_basic(message, NOTES, &self.system.notes_secret);
                match self.tokens.clone().introspect(call).await {
                    Ok(answer) if answer.get_ref().active => Outcome::Accepted,
                    Ok(answer) => {
                        let answer = answer.into_inner();
                        assert_eq!(answer, Default::default(), "an inactive token says nothing else");
                        Outcome::Refused(String::new())
                    }
                    Err(status) => refusal_over_grpc(Err(status)),
                }
            }
        }
    }

    async fn notes_over_http(&self, token: &str) -> Outcome {
        let request = self.system.http.get(self.system.resource_url("/notes"));
        let Ok(answer) = request.header("authorization", format!("Bearer {token}")).send().await else {
            return Outcome::CannotBeSent;
        };
        let status = answer.status().as_u16();
        let headers = format!("{:?}", answer.headers());
        let text = answer.text().await.unwrap();
        match status {
            200 => Outcome::Accepted,
            // Not one bearer token; over the header cap, ours or that of the HTTP library.
            401 | 400 | 431 => Outcome::Refused(headers + text.as_str()),
            other => panic!("notes: {other} {text}"),
        }
    }

    async fn notes_over_grpc(&self, token: &str) -> Outcome {
        let Ok(header) = format!("Bearer {token}").parse() else { return Outcome::CannotBeSent };
        let mut call = Request::new(ListNotesRequest::default());
        call.metadata_mut().insert("authorization", header);
        refusal_over_grpc(self.notes.clone().list_notes(call).await.map(drop))
    }
}

fn refusal_over_grpc(outcome: Result<(), Status>) -> Outcome {
    let Err(status) = outcome else { return Outcome::Accepted };
    // OutOfRange: over the cap on messages. InvalidArgument: an empty text, which is no token. The rest: the
    // transport refuses the header list as too large, before any of our code.
    let transport =
        [Code::OutOfRange, Code::ResourceExhausted, Code::InvalidArgument, Code::Unknown, Code::Internal];
    assert!(status.code() == Code::Unauthenticated || transport.contains(&status.code()), "{status:?}");
    Outcome::Refused(format!("{:?} {}", status.code(), status.message()))
}

fn import(system: &System, signer: &Signer, algorithm: &str) -> String {
    let path = system.folder.path().join(format!("{algorithm}.pem"));
    std::fs::write(&path, signer.pem()).unwrap();
    let arguments = ["key", "import", path.to_str().unwrap(), "--algorithm", algorithm];
    system.cli(&arguments)["kid"].as_str().unwrap().to_owned()
}

/// Whether a place must accept the token of a case.
fn expected(case: &Case, place: Place) -> bool {
    match case.expected {
        // Space behind a header's value is no part of it (RFC 9110 section 5.5): nobody can see it.
        Expected::Refused if case.id == "form-trailing-space" => place == Place::NotesOverHttp,
        // More than one space may stand between scheme and token (RFC 9110 section 11.4).
        Expected::Refused if case.id == "form-leading-space" => {
            matches!(place, Place::NotesOverHttp | Place::NotesOverGrpc)
        }
        Expected::Accepted => true,
        Expected::Refused => false,
        Expected::AcceptedWithLeeway => {
            matches!(place, Place::Verifier | Place::NotesOverHttp | Place::NotesOverGrpc)
        }
    }
}

#[tokio::test]
async fn every_place_comes_to_the_same_result_on_every_hostile_token() {
    let range = Range::open().await;
    let cases = range.forge.cases();
    let mut wrong = Vec::new();
    let mut unsent = Vec::new();
    for case in &cases {
        for place in PLACES {
            match range.evaluate(place, &case.token).await {
                Outcome::CannotBeSent => unsent.push((case.id.clone(), place)),
                Outcome::Accepted if expected(case, place) => {}
                Outcome::Refused(answer) if !expected(case, place) => {
                    assert!(!answer.contains(MARKER), "{} at {place:?} echoes a claim: {answer}", case.id);
                    assert!(answer.len() < 1000, "{} at {place:?} says too much: {answer}", case.id);
                }
                Outcome::Accepted => wrong.push(format!("{place:?} accepted {}", case.id)),
                Outcome::Refused(answer) => wrong.push(format!("{place:?} refused {}: {answer}", case.id)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 250, "the corpus shrank to {}", cases.len());
    let refused = cases.iter().filter(|case| case.expected == Expected::Refused).count();
    assert!(cases.len() - refused > 10, "without controls a verifier that refuses everything passes");
    for (id, place) in unsent {
        let by_header = matches!(place, Place::NotesOverHttp | Place::NotesOverGrpc);
        let unfit = ["-lf", "crlf", "-nul", "full-width", "lf-in"].iter().any(|part| id.contains(part));
        assert!(by_header && unfit, "{id} was not sent to {place:?}");
    }
    assert!(range.trap.accept().is_err(), "somebody followed a `jku` or an `x5u`");
    for (name, log) in [("authority", range.system.auth.log()), ("resource", range.system.resource.log())] {
        assert!(!log.contains(MARKER), "the log of the {name} holds a claim");
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[tokio::test]
async fn jsonwebtoken_accepts_each_token_that_we_accept() {
    let range = Range::open().await;
    let verifier = Verifier::new(ISSUER, NOTES);
    let mut agreed = 0;
    for case in range.forge.cases() {
        let Ok(claims) = verifier.verify(&case.token, &range.keys, unix_now()) else { continue };
        // It knows Ed25519 by the older name only (RFC 9864).
        if case.id == "control-ed25519" {
            continue;
        }
        let header = jsonwebtoken::decode_header(&case.token).unwrap();
        let jwk = range.jwks.find(header.kid.as_ref().unwrap()).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.set_audience(&[NOTES]);
        validation.set_issuer(&[ISSUER]);
        validation.validate_nbf = true;
        validation.leeway = 30;
        assert!(matches!(header.alg, Algorithm::ES256 | Algorithm::EdDSA));
        let second = decode::<Value>(&case.token, &DecodingKey::from_jwk(jwk).unwrap(), &validation);
        let second = second.unwrap_or_else(|error| panic!("{}: {error}", case.id));
        assert_eq!(second.claims["sub"], claims.sub, "{}", case.id);
        agreed += 1;
    }
    assert!(agreed > 10, "{agreed}");
}

#[tokio::test]
async fn each_kind_of_token_works_in_its_own_place_only() {
    let range = Range::open().await;
    let system = &range.system;
    let pair = Protocol::Grpc.obtain(system, USER, PASSWORD).await.unwrap();
    let first_party = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
    let document = system.http.get(system.auth_url("/revocations")).send().await.unwrap();
    let document = document.text().await.unwrap();
    let mut kinds = vec![
        ("access", pair.access.clone()),
        ("refresh", pair.refresh.clone()),
        ("first-party refresh", first_party.refresh.clone()),
        ("revocations", document),
    ];
    // Kinds that other issuers make, or that we shall: signed with our true key, but for `typ` a true token.
    for typ in ["JWT", "id+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "client-authentication+jwt"] {
        let mut header = range.forge.header();
        header.insert("typ".to_owned(), json!(typ));
        kinds.push((typ, range.forge.sign(&header, &range.forge.claims())));
    }
    assert!(kinds.len() * 8 >= 64);
    for (kind, token) in &kinds {
        let mut works = Vec::new();
        for place in PLACES {
            if matches!(range.evaluate(place, token).await, Outcome::Accepted) {
                works.push(format!("{place:?}"));
            }
        }
        let parsed = RevocationDocument::parse(token);
        if parsed.is_ok_and(|token| RevocationDocument::read(&token, ISSUER, &range.keys).is_ok()) {
            works.push("Revocations".to_owned());
        }
        // These spend or end what they accept: last.
        let call = as_gateway(system, RefreshRequest { refresh_token: token.clone(), ..Default::default() });
        if range.tokens.clone().refresh(call).await.is_ok() {
            works.push("GrpcRefresh".to_owned());
        }
        if Protocol::Http.refresh(system, token).await.is_ok() {
            works.push("SimplejwtRefresh".to_owned());
        }
        if Protocol::Http.end(system, token).await.is_ok() {
            works.push("Blacklist".to_owned());
        }
        let expected: &[&str] = match *kind {
            "access" => &[
                "Verifier",
                "NotesOverHttp",
                "NotesOverGrpc",
                "SimplejwtVerify",
                "Introspection",
                "GrpcVerify",
                "GrpcIntrospection",
            ],
            // The notes are not its client; simplejwt's endpoints are another client's.
            "refresh" => &["SimplejwtVerify", "GrpcVerify", "GrpcRefresh"],
            "first-party refresh" => &["SimplejwtVerify", "GrpcVerify", "SimplejwtRefresh", "Blacklist"],
            "revocations" => &["Revocations"],
            _ => &[],
        };
        assert_eq!(works, expected, "{kind}");
    }
}

#[tokio::test]
async fn the_other_signature_of_a_revoked_token_is_refused_too() {
    let range = Range::open().await;
    let system = &range.system;
    let mut claims = range.forge.claims();
    claims.insert("jti".to_owned(), json!("twin"));
    let token = range.forge.sign(&range.forge.header(), &claims);
    let twin = high_s_twin(&token);
    assert_ne!(token, twin);
    for token in [&token, &twin] {
        for place in PLACES {
            assert!(matches!(range.evaluate(place, token).await, Outcome::Accepted), "{place:?}");
        }
    }
    // The gateway revokes its own token; nobody has told of the twin.
    let request = system.http.post(system.auth_url("/oauth2/revoke"));
    let request = request.basic_auth(GATEWAY, Some(&system.gateway_secret)).form(&[("token", &token)]);
    assert_eq!(request.send().await.unwrap().status(), 200);
    for token in [&token, &twin] {
        system.notes_come_to_refuse(token).await;
        for place in PLACES.into_iter().filter(|place| *place != Place::Verifier) {
            assert!(matches!(range.evaluate(place, token).await, Outcome::Refused(_)), "{place:?}");
        }
    }
}

#[tokio::test]
async fn a_flood_of_hostile_tokens_leaves_the_memory_and_the_authority_alone() {
    let range = Range::open().await;
    let cases = range.forge.cases();
    let round = || async {
        for case in &cases {
            range.notes_over_http(&case.token).await;
            range.evaluate(Place::GrpcVerify, &case.token).await;
        }
    };
    round().await;
    let fetched = |range: &Range| range.system.auth.log().matches("path=/.well-known/jwks.json").count();
    let (services, before) = ([&range.system.auth, &range.system.resource], fetched(&range));
    let at_first = services.map(|service| service.resident_kib());
    for _ in 0..8 {
        round().await;
    }
    for kid in 0..2000 {
        let mut header = range.forge.header();
        header.insert("kid".to_owned(), json!(format!("unknown-{kid}")));
        let unknown = range.forge.attacker.token(
            serde_json::to_string(&header).unwrap().as_bytes(),
            serde_json::to_string(&range.forge.claims()).unwrap().as_bytes(),
        );
        assert!(matches!(range.notes_over_http(&unknown).await, Outcome::Refused(_)));
    }
    // An unknown kid is worth one fetch in 30 s; the flood lasts less than five of these.
    assert!(fetched(&range) - before <= 5, "the flood made the notes hammer the authority");
    for (service, at_first) in services.into_iter().zip(at_first) {
        let growth = service.resident_kib().saturating_sub(at_first);
        assert!(growth < 8 * 1024, "grew by {growth} KiB");
    }
    assert!(matches!(range.evaluate(Place::NotesOverHttp, &range.forge.good()).await, Outcome::Accepted));
    assert_eq!(unverified_claims(&range.forge.good())["jti"], MARKER);
}

/// Proofs of the holder of a key, for requests with one token (RFC 9449 section 4.2).
fn proof(holder: &Signer, token: &str, method: &str, url: &str) -> String {
    let mut jwk = holder.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk});
    let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
    let claims = json!({
        "jti": format!("{:?}", std::time::Instant::now()), "htm": method, "htu": url, "iat": unix_now(), "ath": ath,
    });
    holder.token(header.to_string().as_bytes(), claims.to_string().as_bytes())
}

/// The name of a P-256 key (RFC 7638 section 3).
fn thumbprint(signer: &Signer) -> String {
    let jwk = signer.jwk();
    let (x, y) = (&jwk["x"], &jwk["y"]);
    public_keys::thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":{x},"y":{y}}}"#))
}

#[tokio::test]
async fn a_bound_token_is_good_for_its_holder_alone() {
    let urls = "https://notes.test, https://grpc.notes.test:8443".to_owned();
    let range = Range::within(&Env::from([("RESOURCE__SERVICE_URLS".to_owned(), urls)])).await;
    let (holder, thief) = (Signer::es256(), Signer::es256());
    let to_key = range.bound_to("jkt", &holder);
    let unreadable = &range.bound_to("kid", &holder);
    for token in [&to_key, &range.bound_to("x5t#S256", &holder), unreadable] {
        for place in PLACES {
            let shows_binding = matches!(place, Place::Introspection | Place::GrpcIntrospection);
            // What nobody can check is active nowhere.
            if !shows_binding || token == unreadable {
                assert!(matches!(range.evaluate(place, token).await, Outcome::Refused(_)), "{place:?}");
            }
        }
    }
    let url = "https://notes.test/notes";
    let over_http = |proof: String| {
        let request = range.system.http.get(range.system.resource_url("/notes?page_size=1"));
        let request = request.header("authorization", format!("DPoP {to_key}")).header("dpop", proof);
        async { request.send().await.unwrap().status().as_u16() }
    };
    let good = proof(&holder, &to_key, "GET", url);
    assert_eq!((over_http(good.clone()).await, over_http(good).await), (200, 401), "once");
    assert_eq!(over_http(proof(&thief, &to_key, "GET", url)).await, 401);
    assert_eq!(over_http(proof(&holder, &to_key, "GET", "https://evil.test/notes")).await, 401);
    let url = "https://grpc.notes.test:8443/signet.notes.v1.NotesService/ListNotes";
    let over_grpc = |proof: String| {
        let mut call = Request::new(ListNotesRequest::default());
        call.metadata_mut().insert("authorization", format!("DPoP {to_key}").parse().unwrap());
        call.metadata_mut().insert("dpop", proof.parse().unwrap());
        let mut notes = range.notes.clone();
        async move { notes.list_notes(call).await.map(drop).map_err(|status| status.code()) }
    };
    let good = proof(&holder, &to_key, "POST", url);
    assert_eq!(over_grpc(good.clone()).await, Ok(()));
    assert_eq!(over_grpc(good).await, Err(Code::Unauthenticated), "once");
    assert_eq!(over_grpc(proof(&thief, &to_key, "POST", url)).await, Err(Code::Unauthenticated));
}

#[tokio::test]
async fn a_bound_token_passes_the_gateway_with_its_proof() {
    let urls = ("RESOURCE__SERVICE_URLS".to_owned(), "https://app.test".to_owned());
    let range = Range::within(&Env::from([urls])).await;
    let gateway = Gateway::start(&range.system, &example("nginx/gateway.toml")).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let (holder, thief) = (Signer::es256(), Signer::es256());
    let token = range.bound_to("jkt", &holder);
    let ask = |scheme: &str, proof: &str| {
        let (authorization, proof) = (format!("{scheme} {token}"), proof.to_owned());
        let nginx = &nginx;
        async move {
            let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
            // A query is no part of what a proof is for, and may be longer than what is.
            nginx.get(&format!("/notes?page={}", "1".repeat(3000)), None, &headers).await.status().as_u16()
        }
    };
    let url = "https://app.test/notes";
    let good = proof(&holder, &token, "GET", url);
    assert_eq!(ask("Bearer", &good).await, 401);
    assert_eq!((ask("DPoP", &good).await, ask("DPoP", &good).await), (200, 401), "once");
    assert_eq!(ask("DPoP", &proof(&thief, &token, "GET", url)).await, 401);
    assert_eq!(ask("DPoP", &proof(&holder, &token, "POST", url)).await, 401);
    assert_eq!(ask("DPoP", &proof(&holder, &token, "GET", "https://app.test/other")).await, 401);
}

/// The authority's own endpoints for users take no proofs yet.
#[tokio::test]
async fn a_bound_token_is_refused_at_the_authority() {
    let range = Range::within(&Env::from([("AUTH__SIMPLEJWT__SLIDING".to_owned(), "true".to_owned())])).await;
    let system = &range.system;
    let asked = |path: &'static str, body: Value| {
        let request = system.http.post(system.auth_url(path)).json(&body);
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let pair = Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap();
    let account = asked("/api/account/v1/token", json!({"refresh": pair.refresh})).await;
    let sliding = asked("/api/token/sliding/", json!({"username": USER, "password": PASSWORD})).await;
    let again = |token: &Value, cnf: Option<Value>| {
        let mut claims = unverified_claims(token.as_str().unwrap()).as_object().cloned().unwrap();
        claims.extend(cnf.map(|cnf| ("cnf".to_owned(), cnf)));
        range.forge.sign(&range.forge.header(), &claims)
    };
    let sessions = |token: String| {
        let request = system.http.get(system.auth_url("/api/account/v1/sessions")).bearer_auth(token);
        async { request.send().await.unwrap().status().as_u16() }
    };
    let exchange = |token: String| {
        let request = system.http.post(system.auth_url("/api/token/sliding/refresh/"));
        let request = request.json(&json!({"token": token}));
        async { request.send().await.unwrap().status().as_u16() }
    };
    for name in ["jkt", "x5t#S256", "kid"] {
        let cnf = || Some(json!({name: thumbprint(&range.forge.attacker)}));
        assert_eq!(sessions(again(&account["access"], cnf())).await, 401, "{name}");
        assert_eq!(exchange(again(&sliding["token"], cnf())).await, 401, "{name}");
    }
    assert_eq!(sessions(again(&account["access"], None)).await, 200);
    assert_eq!(exchange(again(&sliding["token"], None)).await, 200);
}

/// A resource server that asks the authority is told what it has to ask the caller for.
#[tokio::test]
async fn an_introspection_tells_what_a_token_is_bound_to() {
    let range = Range::open().await;
    let name = thumbprint(&range.forge.attacker);
    for (member, token_type) in [(None, "Bearer"), (Some("jkt"), "DPoP"), (Some("x5t#S256"), "Bearer")] {
        let cnf = member.map(|member| json!({member: name}));
        let mut claims = range.forge.claims();
        claims.extend(cnf.clone().map(|cnf| ("cnf".to_owned(), cnf)));
        let token = range.forge.sign(&range.forge.header(), &claims);
        let request = range.system.http.post(range.system.auth_url("/oauth2/introspect"));
        let request = request.basic_auth(NOTES, Some(&range.system.notes_secret));
        let answer: Value = request.form(&[("token", &token)]).send().await.unwrap().json().await.unwrap();
        assert_eq!((answer.get("cnf"), &answer["token_type"]), (cnf.as_ref(), &json!(token_type)));
        let call = with_basic(IntrospectRequest { token }, NOTES, &range.system.notes_secret);
        let answer = range.tokens.clone().introspect(call).await.unwrap().into_inner();
        let told = answer.cnf.map(|cnf| (cnf.jkt, cnf.x5t_s256));
        let expected = member.map(|member| match member {
            "jkt" => (name.clone(), String::new()),
            _ => (String::new(), name.clone()),
        });
        assert_eq!((told, answer.token_type.as_str()), (expected, token_type));
    }
}
