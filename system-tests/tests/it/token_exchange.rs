//! A user's request that goes through three services, over HTTP and gRPC, each of which acts for the one before it (RFC 8693).

use std::time::{Duration, Instant};

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use reqwest::StatusCode;
use serde_json::{Value, json};
use signet_proto::auth::v1::ExchangeTokenRequest;
use system_tests::processes::Service;
use system_tests::protocol::{client, unverified_claims, with_basic};
use system_tests::system::{GATEWAY, NOTES, PASSWORD, USER, follow_by_feed, resource_env};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};
use tonic::{Code, Request};
use tonic_types::StatusExt;

on_both_databases! {
    a_users_request_goes_through_three_services_and_ends_with_their_session
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// `notes` is called by the application, and calls `stock`, which calls `bank`.
struct Chain {
    system: System,
    stock: Service,
    bank: Service,
    /// Of the clients `orders` and `stock`.
    secrets: [String; 2],
}

impl Chain {
    async fn start(database: Database) -> Self {
        let system = System::start(database).await;
        let mut secrets = Vec::new();
        for (id, audience) in [("orders", "notes"), ("stock", "stock")] {
            if audience != "notes" {
                let _ = system.cli(&["audience", "create", audience]);
            }
            let create = ["client", "create", id, "--audience", audience, "--scope", "notes:read"];
            secrets.push(system.cli(&create)["client_secret"].as_str().unwrap().to_owned());
        }
        let _ = system.cli(&["audience", "create", "bank"]);
        for (id, from, to) in [("orders", "notes", "stock"), ("stock", "stock", "bank")] {
            let rule =
                ["exchange", "allow", "--client", id, "--from", from, "--to", to, "--scope", "notes:read"];
            assert_eq!(system.cli(&rule)["impersonates"], false);
        }
        let stock = Self::service(&system, "stock").await;
        let bank = Self::service(&system, "bank").await;
        let chain = Self { system, stock, bank, secrets: secrets.try_into().unwrap() };
        let pair = Protocol::Http.obtain(&chain.system, USER, PASSWORD).await.unwrap();
        eventually("the authority knows the rules", || async {
            let second = chain.exchange(Protocol::Http, chain.orders(), &pair.access, "stock").await.ok()?;
            chain.exchange(Protocol::Http, chain.stock(), &second, "bank").await.ok().map(drop)
        })
        .await;
        chain
    }

    async fn service(system: &System, audience: &str) -> Service {
        let folder = system.folder.path().join(audience);
        std::fs::create_dir(&folder).unwrap();
        let mut env = resource_env(&system.auth, &folder);
        follow_by_feed(&mut env, &system.auth, &system.notes_secret);
        let _ = env.insert("RESOURCE__AUDIENCE".to_owned(), audience.to_owned());
        let service = Service::start("resource-service", &folder, &env).await;
        eventually("the service has keys", || async {
            let answer = reqwest::get(format!("http://{}/readyz", service.http)).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        service
    }

    /// The answer of the authority: a token, or the error code and its description.
    async fn exchange(
        &self,
        protocol: Protocol,
        credentials: (&str, &str),
        token: &str,
        audience: &str,
    ) -> Result<String, String> {
        match protocol {
            Protocol::Http => {
                let form =
                    [("subject_token", token), ("subject_token_type", ACCESS_TOKEN), ("audience", audience)];
                self.post(credentials, &form).await
            }
            Protocol::Grpc => {
                let (subject_token, audience) = (token.to_owned(), audience.to_owned());
                let message = ExchangeTokenRequest { subject_token, audience, ..Default::default() };
                let call = with_basic(message, credentials.0, credentials.1);
                let answer = client(&self.system).await.exchange_token(call).await;
                answer.map(|answer| answer.into_inner().access_token).map_err(|status| {
                    let reason = status.get_details_error_info().unwrap().reason;
                    format!("{reason}: {}", status.message())
                })
            }
        }
    }

    async fn post(&self, (id, secret): (&str, &str), form: &[(&str, &str)]) -> Result<String, String> {
        let request =
            self.system.http.post(self.system.auth_url("/oauth2/token")).basic_auth(id, Some(secret));
        let form: Vec<_> = [("grant_type", GRANT)].into_iter().chain(form.iter().copied()).collect();
        let answer = request.form(&form).send().await.unwrap();
        let is_issued = answer.status() == StatusCode::OK;
        let body: Value = answer.json().await.unwrap();
        if !is_issued {
            return Err(format!(
                "{}: {}",
                body["error"].as_str().unwrap(),
                body["error_description"].as_str().unwrap()
            ));
        }
        assert_eq!(
            (&body["issued_token_type"], &body["token_type"]),
            (&json!(ACCESS_TOKEN), &json!("Bearer"))
        );
        assert!(body["refresh_token"].is_null(), "{body}");
        Ok(body["access_token"].as_str().unwrap().to_owned())
    }

    fn orders(&self) -> (&str, &str) {
        ("orders", &self.secrets[0])
    }

    fn stock(&self) -> (&str, &str) {
        ("stock", &self.secrets[1])
    }
}

async fn accepts_over_http(service: &Service, token: &str) -> bool {
    let request = reqwest::Client::new().get(format!("http://{}/notes?page_size=1", service.http));
    request.bearer_auth(token).send().await.unwrap().status().is_success()
}

async fn accepts_over_grpc(service: &Service, token: &str) -> bool {
    let mut call = Request::new(ListNotesRequest::default());
    call.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut notes = NotesServiceClient::connect(format!("http://{}", service.grpc)).await.unwrap();
    match notes.list_notes(call).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            false
        }
    }
}

async fn a_users_request_goes_through_three_services_and_ends_with_their_session(database: Database) {
    let chain = Chain::start(database).await;
    let pair = Protocol::Grpc.obtain(&chain.system, USER, PASSWORD).await.unwrap();
    let second = chain.exchange(Protocol::Http, chain.orders(), &pair.access, "stock").await.unwrap();
    let third = chain.exchange(Protocol::Grpc, chain.stock(), &second, "bank").await.unwrap();
    let told = unverified_claims(&third);
    assert_eq!(told["act"], json!({"sub": "client:stock", "act": {"sub": "client:orders"}}));
    let first = unverified_claims(&pair.access);
    assert_eq!((&told["sub"], &told["sid"]), (&first["sub"], &first["sid"]));
    assert!(accepts_over_http(&chain.system.resource, &pair.access).await);
    assert!(accepts_over_grpc(&chain.stock, &second).await);
    assert!(accepts_over_http(&chain.bank, &third).await);
    // Each is for its own service.
    assert!(!accepts_over_http(&chain.bank, &second).await && !accepts_over_grpc(&chain.stock, &third).await);
    let log = chain.system.cli_list(&["audit", "list", "--action", "token.exchanged", "--user", USER]);
    let details: Vec<&str> =
        log.as_array().unwrap().iter().map(|entry| entry["detail"].as_str().unwrap()).collect();
    let complete = |detail: &&&str| detail.contains("actors client:stock for client:orders");
    // With those of the session that has tried the rules.
    assert!(details.len() == 4 && details.iter().any(|detail| complete(&detail)), "{details:?}");

    let sid = first["sid"].as_str().unwrap().to_owned();
    let _ = chain.system.cli(&["session", "end", &sid]);
    let ended = Instant::now();
    eventually("every hop refuses", || async {
        let accepted = accepts_over_http(&chain.system.resource, &pair.access).await
            || accepts_over_grpc(&chain.stock, &second).await
            || accepts_over_http(&chain.bank, &third).await;
        (!accepted).then_some(())
    })
    .await;
    // A second is what it takes at most on a machine of its own; this one is shared.
    assert!(ended.elapsed() < Duration::from_secs(5), "{:?}", ended.elapsed());
    eventually("the authority refuses", || async {
        let again = chain.exchange(Protocol::Grpc, chain.orders(), &pair.access, "stock").await;
        (again == Err("invalid_request: the subject token is not a valid access token".to_owned()))
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_allowed_or_not_understood_is_refused_with_its_reason() {
    let chain = Chain::start(Database::Sqlite).await;
    let pair = Protocol::Http.obtain(&chain.system, USER, PASSWORD).await.unwrap();
    let token = pair.access.as_str();
    for protocol in [Protocol::Http, Protocol::Grpc] {
        let denied = [
            (chain.orders(), "bank", "invalid_target"),
            (chain.orders(), "nowhere", "invalid_target"),
            (chain.stock(), "bank", "invalid_request: the client may not exchange this token"),
            ((GATEWAY, chain.system.gateway_secret.as_str()), "stock", "invalid_request"),
            ((NOTES, chain.system.notes_secret.as_str()), "stock", "invalid_request"),
            (("orders", "wrong"), "stock", "invalid_client"),
        ];
        for (credentials, audience, expected) in denied {
            let refused = chain.exchange(protocol, credentials, token, audience).await.unwrap_err();
            assert!(refused.starts_with(expected), "{credentials:?} {audience}: {refused}");
        }
        let refused = chain.exchange(protocol, chain.orders(), &pair.refresh, "stock").await.unwrap_err();
        assert!(refused.contains("not a valid access token"), "{refused}");
    }
    let subject = ("subject_token", token);
    let kind = ("subject_token_type", ACCESS_TOKEN);
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let saml = "urn:ietf:params:oauth:token-type:saml2";
    let to = ("audience", "stock");
    let table: [(&[(&str, &str)], &str); 13] = [
        (&[kind, to], "`subject_token` is missing"),
        (&[subject, to], "`subject_token_type` is missing"),
        (&[subject, ("subject_token_type", saml), to], "`subject_token_type` is not supported"),
        (&[subject, ("subject_token_type", jwt), to], "`subject_token_type` is not supported"),
        (&[subject, kind, ("requested_token_type", jwt), to], "`requested_token_type` is not supported"),
        (&[subject, kind, ("actor_token", token), to], "`actor_token_type` is missing"),
        (&[subject, kind, ("actor_token_type", ACCESS_TOKEN), to], "`actor_token` is missing"),
        (
            &[subject, kind, ("actor_token", token), ("actor_token_type", saml), to],
            "`actor_token_type` is not",
        ),
        (
            &[subject, kind, ("actor_token", token), ("actor_token_type", ACCESS_TOKEN), to],
            "not the client's own",
        ),
        (&[subject, kind, to, ("resource", "https://x.test")], "exclude each other"),
        (&[subject, kind, ("resource", "stock")], "invalid_target"),
        (&[subject, subject, kind, to], "repeated"),
        (&[subject, kind, to, ("scope", "notes:write")], "invalid_scope"),
    ];
    for (form, expected) in table {
        let refused = chain.post(chain.orders(), form).await.unwrap_err();
        assert!(refused.contains(expected), "{form:?}: {refused}");
    }
    let rules = chain.system.cli(&["exchange", "list"]);
    assert_eq!(rules.as_array().unwrap().len(), 2, "{rules}");
    let deny = ["exchange", "deny", "--client", "orders", "--from", "notes", "--to", "stock"];
    assert_eq!(chain.system.cli(&deny)["denied"], true);
    assert!(chain.system.cli_fails(&deny).contains("orders from notes to stock"));
    eventually("the rule is gone", || async {
        chain.exchange(Protocol::Http, chain.orders(), token, "stock").await.is_err().then_some(())
    })
    .await;
    let audited = chain.system.cli_list(&["audit", "list", "--action", "exchange.denied"]).to_string();
    assert!(audited.contains("from notes to stock"), "{audited}");
}
