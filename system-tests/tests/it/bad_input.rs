//! What is wrong on purpose: a clear error in the protocol's words, nothing of the inside in it,
//! and never a 500.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use signet_proto::auth::v1::{IntrospectRequest, ObtainPairRequest};
use system_tests::protocol::{as_gateway, client, with_basic};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System};
use tonic::Code;

/// One request with a body, to an OAuth endpoint, as the gateway.
async fn post(system: &System, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = system.http.post(system.auth_url(path)).basic_auth(GATEWAY, Some(&system.gateway_secret));
    request.header("content-type", content_type).body(body).send().await.unwrap()
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The error word, after the checks that hold for every OAuth error.
async fn error_of(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body: Value = answer.json().await.expect("an error is JSON");
    let description = body["error_description"].as_str().expect("with a description");
    for inside in ["diesel", "sqlite", "panick", "src/", "libpq", "serde"] {
        assert!(!description.to_lowercase().contains(inside), "{description}");
    }
    (status, body["error"].as_str().expect("and a word").to_owned())
}

#[tokio::test]
async fn the_oauth_endpoints_answer_in_the_words_of_their_rfcs() {
    let system = System::start(Database::Sqlite).await;
    let token = "/oauth2/token";
    type Row = (&'static str, &'static str, &'static str, &'static [u8], u16, &'static str);
    let table: &[Row] = &[
        ("no grant type", token, FORM, b"", 400, "invalid_request"),
        ("an empty grant type", token, FORM, b"grant_type=", 400, "invalid_request"),
        ("an unknown grant", token, FORM, b"grant_type=magic", 400, "unsupported_grant_type"),
        (
            "the password grant",
            token,
            FORM,
            b"grant_type=password&username=a&password=b",
            400,
            "unsupported_grant_type",
        ),
        (
            "a repeated parameter",
            token,
            FORM,
            b"grant_type=client_credentials&grant_type=client_credentials",
            400,
            "invalid_request",
        ),
        (
            "a repeated scope",
            token,
            FORM,
            b"grant_type=client_credentials&scope=a&scope=b",
            400,
            "invalid_request",
        ),
        ("no refresh token", token, FORM, b"grant_type=refresh_token", 400, "invalid_request"),
        (
            "a garbage refresh token",
            token,
            FORM,
            b"grant_type=refresh_token&refresh_token=x",
            400,
            "invalid_grant",
        ),
        ("invalid UTF-8", token, FORM, b"grant_type=%ff", 400, "invalid_request"),
        ("raw invalid UTF-8", token, FORM, b"grant_type=\xff", 400, "invalid_request"),
        ("a broken escape", token, FORM, b"grant_type=%g", 400, "invalid_request"),
        ("a scope beyond", token, FORM, b"grant_type=client_credentials&scope=admin", 400, "invalid_scope"),
        (
            "a resource that is no URI",
            token,
            FORM,
            b"grant_type=client_credentials&resource=notes",
            400,
            "invalid_target",
        ),
        (
            "a resource with a fragment",
            token,
            FORM,
            b"grant_type=client_credentials&resource=https://a.test/%23x",
            400,
            "invalid_target",
        ),
        (
            "an unknown resource",
            token,
            FORM,
            b"grant_type=client_credentials&resource=https://a.test/",
            400,
            "invalid_target",
        ),
        (
            "resource and audience",
            token,
            FORM,
            b"grant_type=client_credentials&resource=https://a.test/&audience=notes",
            400,
            "invalid_request",
        ),
        (
            "JSON",
            token,
            "application/json",
            br#"{"grant_type":"client_credentials"}"#,
            415,
            "invalid_request",
        ),
        ("no content type", token, "", b"grant_type=client_credentials", 415, "invalid_request"),
        (
            "two client ids",
            token,
            FORM,
            b"grant_type=client_credentials&client_id=other",
            400,
            "invalid_request",
        ),
        (
            "two ways to authenticate",
            token,
            FORM,
            b"grant_type=client_credentials&client_id=gateway&client_secret=x",
            400,
            "invalid_request",
        ),
        (
            "a secret beside Basic",
            token,
            FORM,
            b"grant_type=client_credentials&client_secret=x",
            400,
            "invalid_request",
        ),
        ("no token to introspect", "/oauth2/introspect", FORM, b"", 400, "invalid_request"),
        ("no token to revoke", "/oauth2/revoke", FORM, b"token=", 400, "invalid_request"),
        ("JSON to introspect", "/oauth2/introspect", "application/json", b"{}", 415, "invalid_request"),
    ];
    for (what, path, content_type, body, status, word) in table {
        let answer = post(&system, path, content_type, body.to_vec()).await;
        assert_eq!(error_of(answer).await, (*status, (*word).to_owned()), "{what}");
    }
    for path in [token, "/oauth2/introspect", "/oauth2/revoke"] {
        let answer = system.http.get(system.auth_url(path)).send().await.unwrap();
        assert_eq!(answer.headers()["allow"], "POST");
        assert_eq!(error_of(answer).await, (405, "invalid_request".to_owned()));
        let large = post(&system, path, FORM, format!("token={}", "x".repeat(20_000))).await;
        assert_eq!(error_of(large).await, (413, "invalid_request".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn client_credentials_that_are_malformed_are_a_401_with_a_challenge() {
    let system = System::start(Database::Sqlite).await;
    let encode = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let headers = [
        "Basic".to_owned(),
        "Basic %%%".to_owned(),
        encode("no-colon"),
        encode("%zz:x"),
        format!("Basic {}", STANDARD.encode(b"\xff:\xff")),
        "Bearer abc".to_owned(),
        encode(&format!("{}:x", "a".repeat(100))),
        encode("' OR 1=1:x"),
    ];
    for header in headers {
        let request = system.http.post(system.auth_url("/oauth2/token")).header("authorization", &header);
        let answer = request.form(&[("grant_type", "client_credentials")]).send().await.unwrap();
        assert_eq!(
            answer.headers()["www-authenticate"],
            "Basic realm=\"signet\", charset=\"UTF-8\"",
            "{header}"
        );
        assert_eq!(error_of(answer).await, (401, "invalid_client".to_owned()), "{header}");
    }
}

#[tokio::test]
async fn f34_oversized_bodies_and_headers_are_refused_before_they_are_read() {
    let system = System::start(Database::Sqlite).await;
    let large = format!("{{\"username\":\"{}\",\"password\":\"x\"}}", "a".repeat(100_000));
    let request = system.http.post(system.auth_url("/api/token/")).header("content-type", "application/json");
    assert_eq!(request.body(large).send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);

    let access = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let note = json!({"text": "x".repeat(200_000)});
    let request = system.http.post(system.resource_url("/notes")).bearer_auth(&access).json(&note);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);

    for address in [system.auth.http, system.resource.http] {
        let (ours, actix) = ("x".repeat(20_000), "x".repeat(200_000));
        for header in [ours, actix] {
            let answer =
                raw(address, &format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx-large: {header}\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
        }
    }
    assert_eq!(system.http.get(system.auth_url("/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_is_no_http_is_a_400() {
    let system = System::start(Database::Sqlite).await;
    let requests = [
        "GARBAGE\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "POST /oauth2/token HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n",
    ];
    for request in requests {
        let answer = raw(system.auth.http, request);
        assert!(answer.starts_with("HTTP/1.1 400"), "{request:?}: {answer}");
    }
}

/// Sends bytes and reads what comes until the peer closes or falls silent.
fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    // A peer that has seen enough may close before everything is sent.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read) = stream.read(&mut chunk) {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&chunk[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_notes_answer_bad_input_with_a_400_and_strangers_with_a_404() {
    let system = System::start(Database::Sqlite).await;
    let access = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let gateway = (GATEWAY, system.gateway_secret.as_str());
    let other = Protocol::Http.client_token(&system, gateway, ("", "")).await.unwrap();
    let notes = system.resource_url("/notes");
    let create = async |body: &str, content_type: &str| {
        let request = system.http.post(&notes).bearer_auth(&access).header("content-type", content_type);
        request.body(body.to_owned()).send().await.unwrap()
    };
    let json = "application/json";
    for body in ["", "{", "[]", "{}", r#"{"text":1}"#, r#"{"text":""}"#, r#"{"text":"x","owner":"y"}"#] {
        let answer = create(body, json).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_request");
    }
    assert_eq!(create("text=x", FORM).await.status(), 415);
    for query in ["page_size=0", "page_size=-1", "page_size=4294967296", "page_size=x", "after=nonsense"] {
        let request = system.http.get(format!("{notes}?{query}")).bearer_auth(&access);
        assert_eq!(request.send().await.unwrap().status(), 400, "{query}");
    }
    assert_eq!(system.http.put(&notes).bearer_auth(&access).send().await.unwrap().status(), 405);

    let created = create(r#"{"text":"mine"}"#, json).await;
    assert_eq!(created.status(), 201);
    let location = system.resource_url(created.headers()["location"].to_str().unwrap());
    let status = async |token: &str, delete: bool| {
        let request = if delete { system.http.delete(&location) } else { system.http.get(&location) };
        request.bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(&other, false).await, 404, "another owner's note does not exist");
    assert_eq!(status(&other, true).await, 404);
    assert_eq!(status(&access, false).await, 200);
    assert_eq!(status(&access, true).await, 204);
    assert_eq!(status(&access, false).await, 404);
}

#[tokio::test]
async fn a_request_without_one_bearer_token_is_told_so() {
    let system = System::start(Database::Sqlite).await;
    let access = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let table = [
        (None, 401, "Bearer"),
        (Some("Basic YTpi".to_owned()), 401, "Bearer"),
        (Some("Bearer".to_owned()), 400, "Bearer error=\"invalid_request\""),
        (Some(format!("Bearer {access} {access}")), 400, "Bearer error=\"invalid_request\""),
        (Some("Bearer a.b.c".to_owned()), 401, "Bearer error=\"invalid_token\""),
        (Some(format!("Bearer {access}x")), 401, "Bearer error=\"invalid_token\""),
    ];
    for (header, status, challenge) in table {
        let mut request = system.http.get(system.resource_url("/notes"));
        if let Some(header) = &header {
            request = request.header("authorization", header);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{header:?}");
        assert_eq!(answer.headers()["www-authenticate"], challenge, "{header:?}");
    }
    let in_query = system.http.get(system.resource_url(&format!("/notes?access_token={access}")));
    assert_eq!(in_query.send().await.unwrap().status(), 401, "a token in a URL is none");
}

#[tokio::test]
async fn grpc_refuses_what_is_too_large_too_late_or_not_authenticated() {
    let system = System::start(Database::Sqlite).await;
    let mut grpc = client(&system).await;
    let large = as_gateway(&system, IntrospectRequest { token: "x".repeat(100_000) });
    assert_eq!(grpc.introspect(large).await.unwrap_err().code(), Code::OutOfRange);

    // A password takes longer than a millisecond to hash; what memory answers could be in time.
    let login = ObtainPairRequest {
        username: USER.to_owned(),
        password: PASSWORD.to_owned(),
        ..ObtainPairRequest::default()
    };
    let mut late = as_gateway(&system, login);
    late.set_timeout(Duration::from_millis(1));
    let code = grpc.obtain_pair(late).await.unwrap_err().code();
    assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled), "{code:?}");

    let message = || IntrospectRequest { token: "x".to_owned() };
    let wrong = with_basic(message(), GATEWAY, "wrong");
    assert_eq!(grpc.introspect(wrong).await.unwrap_err().code(), Code::Unauthenticated);
    let mut twice = as_gateway(&system, message());
    twice.metadata_mut().append("authorization", "Basic YTpi".parse().unwrap());
    assert_eq!(grpc.introspect(twice).await.unwrap_err().code(), Code::InvalidArgument);
    let mut bearer = tonic::Request::new(message());
    bearer.metadata_mut().insert("authorization", "Bearer abc".parse().unwrap());
    assert_eq!(grpc.introspect(bearer).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_multipart_body_that_does_not_end_is_answered_and_frees_its_connection() {
    let system = System::start(Database::Sqlite).await;
    let part = "--XX\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice";
    let bodies = [
        format!("{part}\r\n"),
        part.to_owned(),
        format!("{part}\r\n--XX"),
        format!("{part}\r\n--XX\r\n"),
        "--XX".to_owned(),
        "--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--".to_owned(),
    ];
    for body in bodies {
        for path in ["/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/"] {
            let request = system.http.post(system.auth_url(path)).timeout(Duration::from_secs(5));
            let request =
                request.header("content-type", "multipart/form-data; boundary=XX").body(body.clone());
            let answer = request.send().await.unwrap_or_else(|error| panic!("{body:?}: {error}"));
            assert_eq!(answer.status(), 400, "{body:?}");
        }
    }
}

#[tokio::test]
async fn what_is_read_by_get_answers_head_and_refuses_the_rest() {
    let system = System::start(Database::Sqlite).await;
    let paths = [
        "/healthz",
        "/readyz",
        "/revocations",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ];
    for path in paths {
        let url = system.auth_url(path);
        assert_eq!(system.http.head(&url).send().await.unwrap().status(), 200, "{path}");
        let answer = system.http.post(&url).send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD", "{path}");
        assert_eq!(error_of(answer).await, (405, "method_not_allowed".to_owned()), "{path}");
    }
    let nowhere = system.http.get(system.auth_url("/nowhere")).send().await.unwrap();
    assert_eq!(error_of(nowhere).await, (404, "not_found".to_owned()));
    let wrong_method = system.http.get(system.auth_url("/api/account/v1/password")).send().await.unwrap();
    assert_eq!(wrong_method.headers()["allow"], "PUT");
    assert_eq!(error_of(wrong_method).await, (405, "method_not_allowed".to_owned()));
    let root: Value = system.http.get(system.auth_url("/")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&root["name"], &root["issuer"]), (&json!("Signet"), &json!("https://auth.test")));
    assert_eq!(root["docs"], "https://auth.test/docs/");
}
