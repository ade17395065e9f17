//! What anybody may fetch: keys, discovery, health; and what gRPC shows to whom.

use reqwest::StatusCode;
use serde_json::Value;
use signet_proto::auth::v1::VerifyRequest;
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use system_tests::protocol::{channel, unverified_claims};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System, on_both_databases};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

on_both_databases! {
    the_key_set_is_public_cacheable_and_has_no_private_member
    discovery_lists_what_works_and_nothing_else
    a_page_is_held_back_while_nothing_is_newer
    health_and_readiness_answer_over_both_protocols
    grpc_denies_by_default_and_reflects_in_development_only
}

async fn the_key_set_is_public_cacheable_and_has_no_private_member(database: Database) {
    let system = System::start(database).await;
    let url = system.auth_url("/.well-known/jwks.json");
    let answer = system.http.get(&url).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json", "some clients refuse any other type");
    let asked = system.http.get(&url).header("accept", "application/jwk-set+json").send().await.unwrap();
    assert_eq!(asked.headers()["content-type"], "application/jwk-set+json", "RFC 7517 section 8.5");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=150", "half of the publish lead");
    let etag = answer.headers()["etag"].clone();
    let body: Value = answer.json().await.unwrap();
    for key in body["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key[private].is_null(), "{private}");
        }
        assert_eq!((&key["use"], &key["alg"]), (&"sig".into(), &"EdDSA".into()));
        assert_eq!(key["kid"].as_str().unwrap().len(), 43, "an RFC 7638 thumbprint");
    }
    let again = system.http.get(&url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let other = system.http.get(&url).header("if-none-match", "\"other\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}

async fn discovery_lists_what_works_and_nothing_else(database: Database) {
    let system = System::start(database).await;
    let fetch = async |path: &str| -> Value {
        let request = system
            .http
            .get(system.auth_url(path))
            .header("host", "evil.test")
            .header("x-forwarded-host", "evil.test");
        request.send().await.unwrap().json().await.unwrap()
    };
    let oauth = fetch("/.well-known/oauth-authorization-server").await;
    assert_eq!(oauth, fetch("/.well-known/openid-configuration").await, "the two documents agree");
    assert_eq!(oauth["issuer"], "https://auth.test");
    assert!(!oauth.to_string().contains("evil.test"), "no URL depends on the request");

    // Every endpoint that is listed is there, and every grant and method that is listed works.
    for (name, url) in oauth
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri")
    {
        let path = url.as_str().unwrap().strip_prefix("https://auth.test").unwrap();
        let status = system.http.get(system.auth_url(path)).send().await.unwrap().status();
        assert_ne!(status, StatusCode::NOT_FOUND, "{name}");
    }
    let secret = system.gateway_secret.as_str();
    let pair = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();
    let known = [
        "client_credentials",
        "refresh_token",
        "password",
        "authorization_code",
        "urn:ietf:params:oauth:grant-type:device_code",
    ];
    for grant in known {
        let listed = oauth["grant_types_supported"].as_array().unwrap().contains(&grant.into());
        let form = [
            ("grant_type", grant),
            ("refresh_token", pair.refresh.as_str()),
            ("username", USER),
            ("password", PASSWORD),
        ];
        let request =
            system.http.post(system.auth_url("/oauth2/token")).basic_auth(GATEWAY, Some(secret)).form(&form);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        // Some need more than these parameters, and say so.
        let is_known =
            status == 200 || body["error"] == "invalid_request" || body["error"] == "unauthorized_client";
        assert_eq!(is_known, listed, "{grant}: {body}");
        if !listed {
            assert_eq!(body["error"], "unsupported_grant_type", "{grant}");
        }
    }
}

/// Without an ETag too: a client that keeps none would else ask without a pause.
async fn a_page_is_held_back_while_nothing_is_newer(database: Database) {
    let system = System::start(database).await;
    let page = async |after: &str, wait: u32| {
        let begun = std::time::Instant::now();
        let url = system.auth_url(&format!("/revocations?after={after}&wait={wait}"));
        let answer = system.http.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        (unverified_claims(&answer.text().await.unwrap()), begun.elapsed())
    };
    let (claims, _) = page("0.0", 0).await;
    let newest = format!("{}.{}", claims["epoch"], claims["seq"]);
    let (again, took) = page(&newest, 2).await;
    assert_eq!(again["seq"], claims["seq"]);
    assert!(took.as_secs() >= 1, "answered at once: {took:?}");
    let (_, took) = page("0.0", 2).await;
    assert!(took.as_millis() < 1500, "what stands elsewhere has something to read: {took:?}");
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let (waiting, _) = tokio::join!(page(&newest, 5), async {
        Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    });
    assert!(waiting.1.as_millis() < 3000, "news are not held back: {:?}", waiting.1);
}

async fn health_and_readiness_answer_over_both_protocols(database: Database) {
    let system = System::start(database).await;
    for url in [
        system.auth_url("/healthz"),
        system.auth_url("/readyz"),
        system.resource_url("/healthz"),
        system.resource_url("/readyz"),
    ] {
        assert_eq!(system.http.get(&url).send().await.unwrap().status(), 200, "{url}");
    }
    let services = [
        (system.auth.grpc, ""),
        (system.auth.grpc, "signet.auth.v1.TokenService"),
        (system.auth.grpc, "signet.auth.v1.RevocationService"),
        (system.auth.grpc, "signet.auth.v1.KeyService"),
        (system.resource.grpc, ""),
        (system.resource.grpc, "signet.notes.v1.NotesService"),
    ];
    for (address, service) in services {
        system_tests::eventually("gRPC health says SERVING", || async {
            let mut client = HealthClient::new(channel(address).await);
            let request = HealthCheckRequest { service: service.to_owned() };
            let status = client.check(request).await.ok()?.into_inner().status;
            (status == 1).then_some(())
        })
        .await;
    }
}

/// The services that are listed, by the version of the protocol that is asked for.
macro_rules! listed {
    ($version:ident, $system:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let mut client = ServerReflectionClient::new(channel($system.auth.grpc).await);
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        match client.server_reflection_info(async_stream(request)).await {
            Ok(answer) => {
                let message = answer.into_inner().message().await.unwrap().unwrap();
                let Some(MessageResponse::ListServicesResponse(listed)) = message.message_response else {
                    panic!("no list");
                };
                listed.service.into_iter().map(|service| service.name).collect::<Vec<_>>()
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unimplemented);
                Vec::new()
            }
        }
    }};
}

/// A stream of one message, which stays open until it is dropped.
fn async_stream<T: Send + 'static>(message: T) -> impl tonic::codegen::tokio_stream::Stream<Item = T> {
    tonic::codegen::tokio_stream::once(message)
}

async fn grpc_denies_by_default_and_reflects_in_development_only(database: Database) {
    let system = System::start(database).await;
    assert!(listed!(v1, system).is_empty() && listed!(v1alpha, system).is_empty());
    let mut client = TokenServiceClient::new(channel(system.auth.grpc).await);
    let refused = client.verify(VerifyRequest { token: "x".to_owned() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "a method without credentials");

    let developing = System::with(database, &[("AUTH__GRPC__REFLECTION", "true")]).await;
    let served = [
        "grpc.health.v1.Health",
        "signet.auth.v1.TokenService",
        "signet.auth.v1.LoginService",
        "signet.auth.v1.RevocationService",
        "signet.auth.v1.KeyService",
    ];
    assert_eq!(listed!(v1, developing), served, "what is served, and nothing else");
    assert_eq!(listed!(v1alpha, developing), served, "many a tool asks for nothing newer");
}
