//! What browsers of other origins may do, request by request: CORS, and refresh tokens in cookies.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use system_tests::system::{GATEWAY, PASSWORD, USER, resource_env};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};

on_both_databases! {
    a_client_brings_its_origins
    a_browser_holds_its_refresh_token_in_a_cookie
}

const APP: &str = "https://app.test";
const OTHER: &str = "https://app.test.evil.test";
const COOKIE: &str = "__Host-signet-refresh";

/// The endpoints that browsers call.
const ENDPOINTS: [(Method, &str); 15] = [
    (Method::POST, "/api/token/"),
    (Method::POST, "/api/token/refresh/"),
    (Method::POST, "/api/token/verify/"),
    (Method::POST, "/api/token/blacklist/"),
    (Method::POST, "/oauth2/token"),
    (Method::POST, "/oauth2/introspect"),
    (Method::POST, "/oauth2/revoke"),
    (Method::GET, "/.well-known/jwks.json"),
    (Method::GET, "/.well-known/openid-configuration"),
    (Method::GET, "/.well-known/oauth-authorization-server"),
    (Method::GET, "/revocations"),
    (Method::GET, "/api/account/v1/me"),
    (Method::PUT, "/api/account/v1/password"),
    (Method::DELETE, "/api/account/v1/sessions"),
    (Method::POST, "/api/account/v1/token"),
];

async fn send(system: &System, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = system.http.request(method, system.auth_url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn preflight(system: &System, method: &Method, path: &str, origin: &str) -> Response {
    let asked = [("Origin", origin), ("Access-Control-Request-Method", method.as_str())];
    send(system, Method::OPTIONS, path, &asked).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} is there twice");
    first
}

fn allowed_origin(response: &Response) -> Option<&str> {
    header(response.headers(), "access-control-allow-origin")
}

fn varies_by_origin(response: &Response) -> bool {
    response.headers().get_all("vary").iter().any(|value| value == "origin")
}

#[tokio::test]
async fn an_allowed_origin_may_call_every_endpoint_and_no_other_may() {
    let settings = [("AUTH__HTTP__CORS_ALLOWED_ORIGINS", "https://first.test, https://app.test")];
    let system = System::with(Database::Sqlite, &settings).await;
    for (method, path) in &ENDPOINTS {
        let answer = preflight(&system, method, path, APP).await;
        assert_eq!((answer.status().as_u16(), allowed_origin(&answer)), (204, Some(APP)), "{method} {path}");
        let headers = answer.headers();
        assert!(header(headers, "access-control-allow-methods").unwrap().contains(method.as_str()), "{path}");
        let sent = header(headers, "access-control-allow-headers").unwrap();
        assert!(["authorization", "content-type", "dpop"].iter().all(|name| sent.contains(name)), "{sent}");
        assert_eq!(header(headers, "access-control-max-age"), Some("600"));
        assert!(varies_by_origin(&answer));
        for origin in [OTHER, "null", "http://app.test", "https://APP.test", "https://app.test:8443"] {
            let answer = preflight(&system, method, path, origin).await;
            assert_eq!((answer.status().as_u16(), allowed_origin(&answer)), (403, None), "{path} {origin}");
        }
        let answer = send(&system, method.clone(), path, &[("Origin", APP)]).await;
        assert_eq!(allowed_origin(&answer), Some(APP), "{method} {path}: errors can be read, too");
        assert!(varies_by_origin(&answer));
        assert_eq!(header(answer.headers(), "access-control-allow-credentials"), None, "no cookies");
        let answer = send(&system, method.clone(), path, &[("Origin", OTHER)]).await;
        assert_eq!(allowed_origin(&answer), None, "{method} {path}");
        // A cache must not give the answer without an origin to a browser.
        let answer = send(&system, method.clone(), path, &[]).await;
        assert_eq!(allowed_origin(&answer), None);
        assert!(varies_by_origin(&answer), "{method} {path}");
    }
    // What Django REST framework answers to OPTIONS is for those that are no preflight.
    let described = send(&system, Method::OPTIONS, "/api/token/", &[("Origin", APP)]).await;
    assert_eq!((described.status().as_u16(), allowed_origin(&described)), (200, Some(APP)));
    assert_eq!(described.json::<Value>().await.unwrap()["name"], "Token Obtain Pair");
}

#[tokio::test]
async fn without_origins_nothing_changes() {
    let system = System::start(Database::Sqlite).await;
    for (method, path) in &ENDPOINTS {
        let answer = send(&system, method.clone(), path, &[("Origin", APP)]).await;
        assert!(!varies_by_origin(&answer) && allowed_origin(&answer).is_none(), "{method} {path}");
    }
    assert_eq!(preflight(&system, &Method::POST, "/api/token/", APP).await.status(), 200, "a description");
}

#[tokio::test]
async fn the_sample_service_has_origins_of_its_own() {
    let system = System::start(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let mut env = resource_env(&system.auth, folder.path());
    env.insert("RESOURCE__CORS_ALLOWED_ORIGINS".to_owned(), APP.to_owned());
    let notes = system_tests::processes::Service::start("resource-service", folder.path(), &env).await;
    let url = format!("http://{}/notes", notes.http);
    let ask = |origin: &'static str| {
        let asked = system.http.request(Method::OPTIONS, &url).header("Origin", origin);
        asked.header("Access-Control-Request-Method", "POST").send()
    };
    let answer = ask(APP).await.unwrap();
    assert_eq!((answer.status().as_u16(), allowed_origin(&answer)), (204, Some(APP)));
    assert_eq!(ask(OTHER).await.unwrap().status(), 403);
    let refused = system.http.get(&url).header("Origin", APP).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), allowed_origin(&refused)), (401, Some(APP)));
}

async fn a_client_brings_its_origins(database: Database) {
    let system = System::start(database).await;
    let allows = |origin: &'static str| {
        let system = &system;
        async move { preflight(system, &Method::POST, "/oauth2/token", origin).await.status() == 204 }
    };
    assert!(!allows(APP).await);
    let created = system.cli(&[
        "client",
        "create",
        "spa",
        "--cors-origin",
        APP,
        "--cors-origin",
        "http://localhost:1/",
    ]);
    assert_eq!(created["cors_origins"], json!([APP, "http://localhost:1"]));
    eventually("the origin of a client is allowed", || async { allows(APP).await.then_some(()) }).await;
    assert!(!allows(OTHER).await);
    let _ = system.cli(&["client", "disable", "spa"]);
    eventually("that of a disabled one is not", || async { (!allows(APP).await).then_some(()) }).await;
    let _ = system.cli(&["client", "enable", "spa"]);
    eventually("enabled again", || async { allows(APP).await.then_some(()) }).await;
    assert_eq!(system.cli(&["client", "update", "spa", "--no-cors-origins"])["cors_origins"], json!([]));
    eventually("removed", || async { (!allows(APP).await).then_some(()) }).await;
    for wrong in ["*", "app.test", "https://app.test/path", "null"] {
        let refused = system.cli_fails(&["client", "update", "spa", "--cors-origin", wrong]);
        assert!(refused.contains("origin"), "{refused}");
    }
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    assert!(Protocol::Http.client_token(&system, credentials, ("", "")).await.is_ok());
}

/// A browser's page: its origin, and what the browser holds of cookies.
struct Page<'a> {
    system: &'a System,
    origin: Option<&'a str>,
    cookie: Option<String>,
}

impl Page<'_> {
    async fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let mut request = self.system.http.post(self.system.auth_url(path)).json(body);
        if let Some(origin) = self.origin {
            request = request.header("Origin", origin);
        }
        if let Some(token) = &self.cookie {
            request = request.header("Cookie", format!("other=1; {COOKIE}={token}"));
        }
        let answer = request.send().await.unwrap();
        if let Some(set) = header(answer.headers(), "set-cookie") {
            let attributes = "HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=";
            let (pair, rest) = set.split_once("; ").unwrap();
            assert!(rest.starts_with(attributes), "{rest}");
            let token = pair.strip_prefix(&format!("{COOKIE}=")).unwrap().to_owned();
            let max_age = rest.strip_prefix(attributes).unwrap();
            assert_eq!(token.is_empty(), max_age == "0", "{set}");
            self.cookie = Some(token).filter(|token| !token.is_empty());
        }
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}

async fn a_browser_holds_its_refresh_token_in_a_cookie(database: Database) {
    let settings = [
        ("AUTH__SIMPLEJWT__REFRESH_COOKIE", "true"),
        ("AUTH__HTTP__CORS_ALLOWED_ORIGINS", APP),
        ("AUTH__TOKENS__REFRESH_GRACE", "0s"),
    ];
    let system = System::with(database, &settings).await;
    let login = json!({"username": USER, "password": PASSWORD});
    let mut page = Page { system: &system, origin: Some(APP), cookie: None };
    let (status, pair) = page.post("/api/token/", &login).await;
    assert_eq!((status, &pair["refresh"]), (200, &Value::Null), "{pair}");
    assert!(system.notes_accept(pair["access"].as_str().unwrap()).await);
    let first = page.cookie.clone().expect("a cookie");
    let (status, next) = page.post("/api/token/refresh/", &json!({})).await;
    assert_eq!(status, 200, "{next}");
    assert_eq!(
        next.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["access"],
        "no refresh token for scripts"
    );
    let second = page.cookie.clone().unwrap();
    assert_ne!(first, second);
    let (status, account) = page.post("/api/account/v1/token", &json!({})).await;
    assert_eq!(status, 200, "{account}");
    let answer = preflight(&system, &Method::POST, "/api/token/refresh/", APP).await;
    assert_eq!(header(answer.headers(), "access-control-allow-credentials"), Some("true"));
    let answer = preflight(&system, &Method::POST, "/oauth2/token", APP).await;
    assert_eq!(header(answer.headers(), "access-control-allow-credentials"), None, "only where it is sent");

    // Another site, which the browser might send the cookie for: nothing is done, and the session goes on.
    for origin in [OTHER, "null"] {
        let mut forged = Page { system: &system, origin: Some(origin), cookie: Some(second.clone()) };
        for path in ["/api/token/refresh/", "/api/token/blacklist/", "/api/account/v1/token"] {
            assert_eq!(forged.post(path, &json!({})).await.0, 403, "{origin} {path}");
        }
        assert_eq!(forged.post("/api/token/", &login).await.0, 403, "nor does it log anyone in");
    }
    // Without an origin it is no browser: the cookie is not looked at.
    let mut bare = Page { system: &system, origin: None, cookie: Some(second.clone()) };
    assert_eq!(bare.post("/api/token/refresh/", &json!({})).await.0, 400);
    let (_, pair) = bare.post("/api/token/", &login).await;
    let in_body = pair["refresh"].as_str().expect("clients get it in the body").to_owned();
    assert_eq!(bare.cookie, Some(second), "and no cookie");
    // The origin of the issuer itself, for pages beside it.
    let own = system.auth_env["AUTH__ISSUER"].clone();
    let mut own = Page { system: &system, origin: Some(&own), cookie: None };
    // One that the page held itself before the setting was turned on moves into the cookie.
    let (status, moved) = own.post("/api/token/refresh/", &json!({"refresh": in_body})).await;
    assert_eq!((status, &moved["refresh"]), (200, &Value::Null), "{moved}");
    assert_eq!(own.post("/api/token/refresh/", &json!({})).await.0, 200);

    // A used one ends the session, and the browser forgets it.
    let mut thief = Page { system: &system, origin: Some(APP), cookie: Some(first) };
    assert_eq!(thief.post("/api/token/refresh/", &json!({})).await.0, 401);
    assert_eq!(thief.cookie, None);
    assert_eq!(page.post("/api/token/refresh/", &json!({})).await.0, 401);
    assert_eq!(page.cookie, None);
    assert_eq!(page.post("/api/token/refresh/", &json!({})).await.0, 400, "as without a token");
    assert_eq!(page.post("/api/token/", &login).await.0, 200);
    assert_eq!(page.post("/api/token/blacklist/", &json!({})).await, (200, json!({})));
    assert_eq!(page.cookie, None, "logged out");
}
