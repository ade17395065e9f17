//! The wire contract of djangorestframework-simplejwt 5.5.1, row by row: status, body to the letter,
//! the headers that clients read.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use system_tests::protocol::{unverified_claims, unverified_header};
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};

on_both_databases! {
    success_has_simplejwts_bodies_and_headers
    faults_of_tokens_have_simplejwts_words
}

const ENDPOINTS: [&str; 4] =
    ["/api/token/", "/api/token/refresh/", "/api/token/verify/", "/api/token/blacklist/"];

/// Status and body as text, after the checks that hold for every answer.
async fn send(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["allow"], "POST, OPTIONS");
    assert_eq!(answer.headers()["vary"], "Accept");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(challenge.as_deref(), (status == 401).then_some("Bearer realm=\"api\""));
    (status, answer.text().await.unwrap())
}

async fn json(system: &System, path: &str, body: &str) -> (u16, String) {
    let request = system.http.post(system.auth_url(path)).header("content-type", "application/json");
    send(request.body(body.to_owned())).await
}

async fn success_has_simplejwts_bodies_and_headers(database: Database) {
    let system = System::start(database).await;
    let post = |path: &str| system.http.post(system.auth_url(path));
    let credentials = [("username", USER), ("password", PASSWORD)];
    let as_json = post("/api/token/").json(&serde_json::json!({"username": USER, "password": PASSWORD}));
    let multipart = reqwest::multipart::Form::new().text("username", USER).text("password", PASSWORD);
    let encodings =
        [as_json, post("/api/token/").form(&credentials), post("/api/token/").multipart(multipart)];
    let mut last = String::new();
    for request in encodings {
        let (status, body) = send(request).await;
        assert_eq!(status, 200, "{body}");
        assert!(
            body.starts_with("{\"refresh\":\"") && body.contains("\",\"access\":\""),
            "the order of keys: {body}"
        );
        last = body;
    }
    let pair: Value = serde_json::from_str(&last).unwrap();
    let (refresh, access) = (pair["refresh"].as_str().unwrap(), pair["access"].as_str().unwrap());

    // Section 3: the claims that simplejwt's own verifiers need, in its order, with its id form.
    for (token, kind) in [(access, "access"), (refresh, "refresh")] {
        let claims = unverified_claims(token);
        let names: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names[..5], ["token_type", "exp", "iat", "jti", "user_id"]);
        assert_eq!(claims["token_type"], kind);
        let jti = claims["jti"].as_str().unwrap();
        assert!(jti.len() == 32 && jti.bytes().all(|byte| byte.is_ascii_hexdigit()), "{jti}");
        assert!(claims["user_id"].is_string());
        assert!(unverified_header(token)["kid"].is_string());
    }

    let (status, body) =
        json(&system, "/api/token/refresh/", &format!("{{\"refresh\":\"{refresh}\"}}")).await;
    assert_eq!(status, 200);
    assert!(
        body.starts_with("{\"access\":\"") && body.contains("\",\"refresh\":\""),
        "the order of keys: {body}"
    );
    let next: Value = serde_json::from_str(&body).unwrap();
    let next = next["refresh"].as_str().unwrap();
    for token in [access, next] {
        let answer = json(&system, "/api/token/verify/", &format!("{{\"token\":\"{token}\"}}")).await;
        assert_eq!(answer, (200, "{}".to_owned()), "verify takes any kind");
    }
    let answer = json(&system, "/api/token/blacklist/", &format!("{{\"refresh\":\"{next}\"}}")).await;
    assert_eq!(answer, (200, "{}".to_owned()));
}

async fn faults_of_tokens_have_simplejwts_words(database: Database) {
    let settings = [("AUTH__TOKENS__ACCESS_TTL", "1s"), ("AUTH__TOKENS__REFRESH_IDLE_TTL", "1s")];
    let short = System::with(database, &settings).await;
    let pair = Protocol::Http.obtain(&short, USER, PASSWORD).await.unwrap();
    let expired = "{\"detail\":\"Token is expired\",\"code\":\"token_not_valid\"}";
    for (path, field, token) in [
        ("/api/token/verify/", "token", &pair.access),
        ("/api/token/verify/", "token", &pair.refresh),
        ("/api/token/refresh/", "refresh", &pair.refresh),
        ("/api/token/blacklist/", "refresh", &pair.refresh),
    ] {
        let body = format!("{{\"{field}\":\"{token}\"}}");
        eventually("the token expires", || async {
            (json(&short, path, &body).await.1 == expired).then_some(())
        })
        .await;
        assert_eq!(json(&short, path, &body).await.0, 401);
    }
    drop(short);

    let system = System::start(database).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let fault = |text: &str| (401, format!("{{\"detail\":\"{text}\",\"code\":\"token_not_valid\"}}"));
    for (path, field) in [("/api/token/refresh/", "refresh"), ("/api/token/blacklist/", "refresh")] {
        let access = format!("{{\"{field}\":\"{}\"}}", pair.access);
        assert_eq!(json(&system, path, &access).await, fault("Token has wrong type"), "{path}");
    }
    for (path, field) in [
        ("/api/token/refresh/", "refresh"),
        ("/api/token/blacklist/", "refresh"),
        ("/api/token/verify/", "token"),
    ] {
        for garbage in ["x", "a.b.c", "1"] {
            let body = format!("{{\"{field}\":\"{garbage}\"}}");
            assert_eq!(json(&system, path, &body).await, fault("Token is invalid"), "{path} {garbage}");
        }
    }
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    for (path, field, token) in [
        ("/api/token/refresh/", "refresh", &pair.refresh),
        ("/api/token/blacklist/", "refresh", &pair.refresh),
        // Declared: simplejwt answers 400 here, and only with one of its settings.
        ("/api/token/verify/", "token", &pair.refresh),
        // Declared: simplejwt goes on accepting the access token.
        ("/api/token/verify/", "token", &pair.access),
    ] {
        let body = format!("{{\"{field}\":\"{token}\"}}");
        assert_eq!(json(&system, path, &body).await, fault("Token is blacklisted"), "{path}");
    }
    let no_account = "{\"detail\":\"No active account found with the given credentials\"}";
    for (username, password) in [(USER, "wrong"), ("nobody", PASSWORD)] {
        let body = format!("{{\"username\":\"{username}\",\"password\":\"{password}\"}}");
        assert_eq!(
            json(&system, "/api/token/", &body).await,
            (401, no_account.to_owned()),
            "without a `code`"
        );
    }
}

#[tokio::test]
async fn fields_that_are_wrong_are_named_one_by_one() {
    let system = System::start(Database::Sqlite).await;
    let (required, blank, null, text) = (
        "This field is required.",
        "This field may not be blank.",
        "This field may not be null.",
        "Not a valid string.",
    );
    let both = |one: &str, other: &str| format!("{{\"username\":[\"{one}\"],\"password\":[\"{other}\"]}}");
    let table = [
        ("{}", both(required, required)),
        ("", both(required, required)),
        (r#"{"username":"","password":""}"#, both(blank, blank)),
        (r#"{"username":"  ","password":null}"#, both(blank, null)),
        (r#"{"username":null,"password":"x"}"#, format!("{{\"username\":[\"{null}\"]}}")),
        (r#"{"username":["a"],"password":{}}"#, both(text, text)),
        (r#"{"username":1,"password":true}"#, format!("{{\"password\":[\"{text}\"]}}")),
        (
            r#"{"username":"a","password":"x\u0000y"}"#,
            "{\"password\":[\"Null characters are not allowed.\"]}".to_owned(),
        ),
        ("[]", "{\"non_field_errors\":[\"Invalid data. Expected a dictionary, but got list.\"]}".to_owned()),
        (
            "\"x\"",
            "{\"non_field_errors\":[\"Invalid data. Expected a dictionary, but got str.\"]}".to_owned(),
        ),
        ("5", "{\"non_field_errors\":[\"Invalid data. Expected a dictionary, but got int.\"]}".to_owned()),
        (
            "5.5",
            "{\"non_field_errors\":[\"Invalid data. Expected a dictionary, but got float.\"]}".to_owned(),
        ),
        (
            "true",
            "{\"non_field_errors\":[\"Invalid data. Expected a dictionary, but got bool.\"]}".to_owned(),
        ),
        ("null", "{\"non_field_errors\":[\"No data provided\"]}".to_owned()),
    ];
    for (body, expected) in table {
        assert_eq!(json(&system, "/api/token/", body).await, (400, expected), "{body}");
    }
    for (path, field) in [
        ("/api/token/refresh/", "refresh"),
        ("/api/token/verify/", "token"),
        ("/api/token/blacklist/", "refresh"),
    ] {
        for (value, message) in [("", blank), ("  ", blank)] {
            let body = format!("{{\"{field}\":\"{value}\"}}");
            assert_eq!(json(&system, path, &body).await, (400, format!("{{\"{field}\":[\"{message}\"]}}")));
        }
        assert_eq!(json(&system, path, "{}").await, (400, format!("{{\"{field}\":[\"{required}\"]}}")));
        let body = format!("{{\"{field}\":null}}");
        assert_eq!(json(&system, path, &body).await, (400, format!("{{\"{field}\":[\"{null}\"]}}")));
    }
    for body in ["{", "{\"a\":}", "nonsense", "{\"username\":NaN}"] {
        let (status, answer) = json(&system, "/api/token/", body).await;
        assert_eq!(status, 400);
        assert!(answer.starts_with("{\"detail\":\"JSON parse error - "), "{answer}");
    }
}

#[tokio::test]
async fn other_methods_types_and_paths_are_refused_as_django_does() {
    let system = System::start(Database::Sqlite).await;
    for path in ENDPOINTS {
        let url = system.auth_url(path);
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let expected = format!("{{\"detail\":\"Method \\\"{method}\\\" not allowed.\"}}");
            assert_eq!(send(system.http.request(method, &url)).await, (405, expected), "{path}");
        }
        let request = system.http.post(&url).header("content-type", "text/plain").body("x");
        let expected = "{\"detail\":\"Unsupported media type \\\"text/plain\\\" in request.\"}";
        assert_eq!(send(request).await, (415, expected.to_owned()), "{path}");
        let (status, described) = send(system.http.request(Method::OPTIONS, &url)).await;
        assert_eq!(status, 200);
        let described: Value = serde_json::from_str(&described).unwrap();
        let members: Vec<&str> = described.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["name", "description", "renders", "parses", "actions"]);
        let without_slash = system.http.post(url.trim_end_matches('/')).send().await.unwrap();
        assert_eq!(without_slash.status(), 404, "the trailing slash is part of the path");
    }
    let broken = system
        .http
        .post(system.auth_url("/api/token/"))
        .header("content-type", "multipart/form-data")
        .body("x");
    let (status, body) = send(broken).await;
    assert_eq!(status, 400);
    assert!(body.starts_with("{\"detail\":\"Multipart form parse error - "), "{body}");
}

#[tokio::test]
async fn the_endpoints_can_be_switched_off() {
    let system = System::with(Database::Sqlite, &[("AUTH__SIMPLEJWT__ENABLED", "false")]).await;
    for path in ENDPOINTS {
        let answer = system.http.post(system.auth_url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
}
