//! Tokens that are bound to a key (DPoP, RFC 9449), from the authority to the services that accept them.

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use reqwest::header::HeaderMap;
use reqwest_middleware::ClientBuilder;
use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use signet_client::{ProofKey, ProofRequest, TokenSource};
use signet_proto::auth::v1::IssueClientTokenRequest;
use system_tests::processes::{Env, Service, free_address};
use system_tests::protocol::{as_gateway, client, unverified_claims};
use system_tests::system::{GATEWAY, auth_env, cli, resource_env};
use system_tests::{Database, Protocol, System, eventually, over_both_protocols_on_both_databases};
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_types::StatusExt;

over_both_protocols_on_both_databases! {
    a_bound_token_is_good_with_the_proofs_of_its_holder_until_it_is_revoked
}

const TOKEN_CALL: &str = "https://grpc.auth.test:9443/signet.auth.v1.TokenService/IssueClientToken";
const NOTES_CALL: &str = "https://notes.test/signet.notes.v1.NotesService/ListNotes";

/// An authority and a service that know what they are called by.
struct Bound {
    system: System,
    key: ProofKey,
}

impl Bound {
    async fn start(database: Database, settings: &[(&str, &str)]) -> Self {
        let urls = Env::from([("RESOURCE__SERVICE_URLS".to_owned(), "https://notes.test".to_owned())]);
        let own = [("AUTH__GRPC__URL", "https://grpc.auth.test:9443")];
        let system = System::within(&urls, database, &[&own[..], settings].concat()).await;
        Self { system, key: ProofKey::generate().unwrap() }
    }

    /// A client token and its type, or the error code; and the nonce of the answer.
    async fn issue(
        &self,
        protocol: Protocol,
        proof: Option<&str>,
    ) -> (Result<(String, String), String>, Option<String>) {
        match protocol {
            Protocol::Http => self.issue_over_http(proof).await,
            Protocol::Grpc => self.issue_over_grpc(proof).await,
        }
    }

    async fn issue_over_http(
        &self,
        proof: Option<&str>,
    ) -> (Result<(String, String), String>, Option<String>) {
        let request = self.system.http.post(self.system.auth_url("/oauth2/token"));
        let request = request.basic_auth(GATEWAY, Some(&self.system.gateway_secret));
        let request = if let Some(proof) = proof { request.header("dpop", proof) } else { request };
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        let nonce = nonce_of(answer.headers());
        let body: Value = answer.json().await.unwrap();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let issued = text("access_token").zip(text("token_type"));
        (issued.ok_or_else(|| text("error").unwrap()), nonce)
    }

    async fn issue_over_grpc(
        &self,
        proof: Option<&str>,
    ) -> (Result<(String, String), String>, Option<String>) {
        let mut call = as_gateway(&self.system, IssueClientTokenRequest::default());
        if let Some(proof) = proof {
            call.metadata_mut().insert("dpop", proof.parse().unwrap());
        }
        match client(&self.system).await.issue_client_token(call).await {
            Ok(answer) => {
                let nonce = nonce_of(answer.metadata().as_ref());
                let answer = answer.into_inner();
                (Ok((answer.access_token, answer.token_type)), nonce)
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unauthenticated, "{status}");
                let reason = status.get_details_error_info().unwrap().reason;
                (Err(reason), nonce_of(status.metadata().as_ref()))
            }
        }
    }

    fn proof_of_token_request(&self, protocol: Protocol, nonce: Option<&str>) -> String {
        let url = if protocol == Protocol::Http { "https://auth.test/oauth2/token" } else { TOKEN_CALL };
        self.key
            .proof(ProofRequest { method: "POST", url, access_token: None, nonce, now: unix_now() })
            .unwrap()
    }

    /// Lists notes with a proof of a key: whether that is accepted.
    async fn lists(&self, protocol: Protocol, token: &str, key: &ProofKey) -> bool {
        let access_token = Some(token);
        let proof = |method, url| {
            let request = ProofRequest { method, url, access_token, nonce: None, now: unix_now() };
            key.proof(request).unwrap()
        };
        match protocol {
            Protocol::Http => {
                let request = self.system.http.get(self.system.resource_url("/notes?page_size=1"));
                let request = request.header("authorization", format!("DPoP {token}"));
                let proof = proof("GET", "https://notes.test/notes");
                request.header("dpop", proof).send().await.unwrap().status().is_success()
            }
            Protocol::Grpc => {
                let mut call = Request::new(ListNotesRequest::default());
                let metadata = call.metadata_mut();
                metadata.insert("authorization", format!("DPoP {token}").parse().unwrap());
                metadata.insert("dpop", proof("POST", NOTES_CALL).parse().unwrap());
                let url = format!("http://{}", self.system.resource.grpc);
                let mut notes = NotesServiceClient::connect(url).await.unwrap();
                notes.list_notes(call).await.is_ok()
            }
        }
    }
}

fn nonce_of(headers: &HeaderMap) -> Option<String> {
    headers.get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned())
}

async fn a_bound_token_is_good_with_the_proofs_of_its_holder_until_it_is_revoked(
    protocol: Protocol,
    database: Database,
) {
    let bound = Bound::start(database, &[]).await;
    let proof = bound.proof_of_token_request(protocol, None);
    let (issued, nonce) = bound.issue(protocol, Some(&proof)).await;
    let (token, token_type) = issued.unwrap();
    assert_eq!((token_type.as_str(), nonce), ("DPoP", None));
    assert_eq!(unverified_claims(&token)["cnf"], json!({"jkt": bound.key.thumbprint()}));
    let invalid = Err("invalid_dpop_proof".to_owned());
    assert_eq!(bound.issue(protocol, Some(&proof)).await.0, invalid, "again");
    let other = if protocol == Protocol::Http { Protocol::Grpc } else { Protocol::Http };
    let of_other = bound.proof_of_token_request(other, None);
    assert_eq!(bound.issue(protocol, Some(&of_other)).await.0, invalid, "for another URL");
    assert_eq!(bound.issue(protocol, Some("x")).await.0, invalid);
    assert_eq!(bound.issue(protocol, None).await.0.unwrap().1, "Bearer");

    let thief = ProofKey::generate().unwrap();
    for place in [Protocol::Http, Protocol::Grpc] {
        assert!(bound.lists(place, &token, &bound.key).await);
        assert!(!bound.lists(place, &token, &thief).await);
    }
    assert_eq!(bound.system.notes_over_http(&token).await, 401, "alone");
    assert_eq!(bound.system.notes_over_grpc(&token).await, Code::Unauthenticated, "alone");
    let _ = bound.system.cli(&["client", "disable", GATEWAY]);
    for place in [Protocol::Http, Protocol::Grpc] {
        eventually("the service hears of it", || async {
            (!bound.lists(place, &token, &bound.key).await).then_some(())
        })
        .await;
    }
    let log = bound.system.auth.log();
    assert!(log.contains("DPoP proof: used before") && log.contains("DPoP proof: for another URL"));
    assert!(!log.contains(&proof), "the operator sees why, and not the proof");
}

async fn a_nonce_is_asked_for(protocol: Protocol) {
    let bound = Bound::start(Database::Sqlite, &[("AUTH__DPOP__REQUIRE_NONCE", "true")]).await;
    let (refused, nonce) = bound.issue(protocol, Some(&bound.proof_of_token_request(protocol, None))).await;
    assert_eq!(refused, Err("use_dpop_nonce".to_owned()));
    let nonce = nonce.unwrap();
    let proof = bound.proof_of_token_request(protocol, Some(&nonce));
    let (issued, next) = bound.issue(protocol, Some(&proof)).await;
    assert_eq!(issued.unwrap().1, "DPoP");
    assert!(next.is_some(), "each answer brings one");
}

#[tokio::test]
async fn a_nonce_is_asked_for_over_http() {
    a_nonce_is_asked_for(Protocol::Http).await;
}

#[tokio::test]
async fn a_nonce_is_asked_for_over_grpc() {
    a_nonce_is_asked_for(Protocol::Grpc).await;
}

/// `signet-client` makes a proof for each call, where everything is called by its own name.
#[tokio::test]
async fn a_caller_in_rust_shows_its_key_over_http_and_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().to_string();
    let url = format!("http://{address}");
    let settings = [
        ("AUTH__HTTP__BIND", address.as_str()),
        ("AUTH__ISSUER", &url),
        ("AUTH__DPOP__REQUIRE_NONCE", "true"),
    ];
    let env = auth_env(Database::Sqlite, folder.path(), &settings);
    let create = ["client", "create", "billing", "--scope", "notes:read", "--audience", "notes"];
    let create = [&create[..], &["--token-binding", "dpop"]].concat();
    let created = cli(folder.path(), &env, &create, "");
    let authority = Service::start("auth-service", folder.path(), &env).await;
    let (http_at, grpc_at) = (free_address(), free_address());
    let mut env = resource_env(&authority, folder.path());
    for (name, value) in [
        ("RESOURCE__AUTHORITY__ISSUER", url.clone()),
        ("RESOURCE__HTTP__BIND", http_at.to_string()),
        ("RESOURCE__GRPC__BIND", grpc_at.to_string()),
        ("RESOURCE__SERVICE_URLS", format!("http://{http_at}, http://{grpc_at}")),
    ] {
        let _ = env.insert(name.to_owned(), value);
    }
    let _resource = Service::start("resource-service", folder.path(), &env).await;

    let secret = created["client_secret"].as_str().unwrap();
    let key = ProofKey::generate().unwrap();
    let thumbprint = key.thumbprint().to_owned();
    let tokens = TokenSource::builder(&url, "billing", secret).bound_to(key).build().unwrap();
    let token = tokens.token().await.unwrap();
    assert_eq!(unverified_claims(&token)["cnf"]["jkt"], thumbprint);
    let notes = format!("http://{http_at}/notes?page_size=1");
    let http = reqwest::Client::new();
    eventually("the service has keys", || async {
        let request = tokens.authorize(http.get(&notes)).await.unwrap();
        request.send().await.ok()?.status().is_success().then_some(())
    })
    .await;
    let own = tokens.middleware([format!("http://{http_at}").as_str()]).unwrap();
    let chain = ClientBuilder::new(http.clone()).with(own).build();
    for _ in 0..3 {
        assert!(chain.get(&notes).send().await.unwrap().status().is_success(), "a proof for each request");
    }
    let borne = http.get(&notes).bearer_auth(&token).send().await.unwrap();
    assert_eq!(borne.status(), 401);
    let service_url = format!("http://{grpc_at}");
    let channel = Channel::from_shared(service_url.clone()).unwrap().connect().await.unwrap();
    let interceptor = tokens.interceptor(&service_url).await.unwrap();
    let mut client = NotesServiceClient::with_interceptor(channel.clone(), interceptor);
    for _ in 0..3 {
        let _ = client.list_notes(ListNotesRequest::default()).await.unwrap();
    }
    let elsewhere = tokens.interceptor("http://elsewhere.test").await.unwrap();
    let mut client = NotesServiceClient::with_interceptor(channel, elsewhere);
    let refused = client.list_notes(ListNotesRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "a proof for another service");
}
