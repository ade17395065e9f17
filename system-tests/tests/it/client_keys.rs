//! Clients that prove themselves by a key of their own (`private_key_jwt`, RFC 7523), over both protocols.

use reqwest::StatusCode;
use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use signet_proto::auth::v1::{IssueClientTokenRequest, RevokeRequest};
use system_tests::hostile::Signer;
use system_tests::protocol::{client, unverified_claims};
use system_tests::{Database, Protocol, System, over_both_protocols_on_both_databases};
use tonic::{Code, Request};

over_both_protocols_on_both_databases! {
    a_client_proves_itself_by_its_key_once_for_each_request
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client `batch` that signs with `signer`, and no secret anywhere.
struct Batch {
    system: System,
    signer: Signer,
}

impl Batch {
    async fn start(database: Database) -> Self {
        let system = System::start(database).await;
        let signer = Signer::eddsa();
        let file = system.folder.path().join("jwks.json");
        std::fs::write(&file, json!({"keys": [signer.jwk()]}).to_string()).unwrap();
        let file = file.to_str().unwrap();
        let asked =
            ["client", "create", "batch", "--audience", "notes", "--scope", "notes:read", "--jwks", file];
        let created = system.cli(&asked);
        assert_eq!(created["kids"], json!([signer.kid]), "{created}");
        Self { system, signer }
    }

    fn assertion(&self, jti: &str) -> String {
        let issuer = &self.system.auth_env["AUTH__ISSUER"];
        let now = unix_now();
        let claims =
            json!({"iss": "batch", "sub": "batch", "aud": issuer, "exp": now + 60, "iat": now, "jti": jti});
        let header = json!({"alg": "EdDSA", "kid": self.signer.kid});
        self.signer.token(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// A client token, or the OAuth error code.
    async fn token(&self, protocol: Protocol, assertion: &str) -> Result<String, String> {
        match protocol {
            Protocol::Http => {
                let form = [("grant_type", "client_credentials"), ("client_assertion_type", JWT_BEARER)];
                let form = form.into_iter().chain([("client_assertion", assertion)]);
                let (_, body) = self.post("/oauth2/token", &form.collect::<Vec<_>>()).await;
                let token = body["access_token"].as_str().map(str::to_owned);
                token.ok_or_else(|| body["error"].as_str().unwrap().to_owned())
            }
            Protocol::Grpc => {
                let call = with_assertion(IssueClientTokenRequest::default(), assertion);
                let answer = client(&self.system).await.issue_client_token(call).await;
                answer.map(|answer| answer.into_inner().access_token).map_err(|status| {
                    assert_eq!(status.code(), Code::Unauthenticated);
                    "invalid_client".to_owned()
                })
            }
        }
    }

    async fn revoke(&self, protocol: Protocol, token: &str, assertion: &str) -> bool {
        match protocol {
            Protocol::Http => {
                let form = [
                    ("token", token),
                    ("client_assertion_type", JWT_BEARER),
                    ("client_assertion", assertion),
                    ("client_id", "batch"),
                ];
                self.post("/oauth2/revoke", &form).await.0 == StatusCode::OK
            }
            Protocol::Grpc => {
                let call = with_assertion(RevokeRequest { token: token.to_owned() }, assertion);
                client(&self.system).await.revoke(call).await.is_ok()
            }
        }
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let answer = self.system.http.post(self.system.auth_url(path)).form(form).send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_default())
    }
}

fn with_assertion<T>(message: T, assertion: &str) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("client-assertion-type", JWT_BEARER.parse().unwrap());
    metadata.insert("client-assertion", assertion.parse().unwrap());
    request
}

async fn a_client_proves_itself_by_its_key_once_for_each_request(protocol: Protocol, database: Database) {
    let batch = Batch::start(database).await;
    let assertion = batch.assertion("1");
    let token = batch.token(protocol, &assertion).await.unwrap();
    assert_eq!(unverified_claims(&token)["sub"], "client:batch");
    assert!(batch.system.notes_accept(&token).await);
    let refused = Err("invalid_client".to_owned());
    assert_eq!(batch.token(protocol, &assertion).await, refused, "the same again");
    let other = if protocol == Protocol::Http { Protocol::Grpc } else { Protocol::Http };
    assert_eq!(batch.token(other, &assertion).await, refused, "by the other protocol");
    assert!(!batch.revoke(protocol, &token, &assertion).await, "for another request");
    assert!(batch.system.notes_accept(&token).await);
    assert!(batch.revoke(protocol, &token, &batch.assertion("2")).await);
    batch.system.notes_come_to_refuse(&token).await;
    let log = batch.system.auth.log();
    assert!(log.contains("the assertion was used before"), "the operator sees why");
    assert!(!log.contains(&assertion), "and not the assertion");
}

#[tokio::test]
async fn credentials_that_contradict_each_other_are_refused_before_anything_is_read_of_them() {
    let batch = Batch::start(Database::Sqlite).await;
    let assertion = batch.assertion("1");
    let (kind, assertion) = (("client_assertion_type", JWT_BEARER), ("client_assertion", assertion.as_str()));
    let long = "x".repeat(9000);
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let table: [(&[(&str, &str)], &str); 11] = [
        (&[assertion], "invalid_request"),
        (&[kind], "invalid_request"),
        (&[kind, ("client_assertion", "")], "invalid_request"),
        (&[("client_assertion_type", saml), assertion], "invalid_request"),
        (&[kind, assertion, assertion], "invalid_request"),
        (&[kind, kind, assertion], "invalid_request"),
        (&[kind, assertion, ("client_secret", "x")], "invalid_request"),
        (&[kind, assertion, ("client_id", "gateway")], "invalid_client"),
        (&[kind, ("client_assertion", &long)], "invalid_client"),
        (&[kind, ("client_assertion", "a.b.c")], "invalid_client"),
        (&[kind, ("client_assertion", "\u{fffd}\0")], "invalid_client"),
    ];
    for (credentials, expected) in table {
        for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization"]
        {
            let form: Vec<(&str, &str)> = [("grant_type", "client_credentials"), ("token", "x")]
                .into_iter()
                .chain(credentials.iter().copied())
                .collect();
            let (status, body) = batch.post(path, &form).await;
            assert_eq!(body["error"], expected, "{path} {credentials:?}: {status} {body}");
            assert!(!body.to_string().contains("xxxx"), "nothing is reflected: {body}");
        }
    }
    let basic = batch.system.http.post(batch.system.auth_url("/oauth2/token")).basic_auth("batch", Some("x"));
    let both = basic.form(&[kind, assertion]).send().await.unwrap();
    assert_eq!(both.json::<Value>().await.unwrap()["error"], "invalid_request", "two methods");
}
