//! The description of the HTTP endpoints is whole, and can be read.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::browser::Browser;
use system_tests::{Database, System, eventually};

async fn description(system: &System) -> Value {
    let answer = system.http.get(system.auth_url("/api/openapi.json")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn every_endpoint_and_every_error_code_is_described_and_nothing_else() {
    let system = System::with(Database::Sqlite, &[("AUTH__SIMPLEJWT__SLIDING", "true")]).await;
    let document = description(&system).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{document}");
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        let url = system.auth_url(&path.replace("{id}", "x"));
        for method in methods.as_object().unwrap().keys() {
            let name = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = system.http.request(name, &url).send().await.unwrap();
            assert!(![404, 405].contains(&answer.status().as_u16()), "{method} {path}: {}", answer.status());
        }
        // And no method more than that.
        let refused = system.http.patch(&url).send().await.unwrap();
        let allowed = refused.headers()["allow"].to_str().unwrap().to_lowercase();
        let mut allowed: Vec<&str> =
            allowed.split(", ").filter(|name| !["head", "options"].contains(name)).collect();
        allowed.sort_unstable();
        let mut described: Vec<&str> = methods.as_object().unwrap().keys().map(String::as_str).collect();
        described.sort_unstable();
        assert_eq!(allowed, described, "{path}");
    }
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/http-api.md")).unwrap();
    for line in page.lines().filter(|line| line.starts_with("| `POST /") || line.starts_with("| `GET /")) {
        let endpoint = line.split('`').nth(1).unwrap().split(' ').nth(1).unwrap().trim_end_matches(',');
        let elsewhere =
            ["/.well-known/oauth-authorization-server", "/metrics", "/docs/", "/api/openapi.json"];
        assert!(elsewhere.contains(&endpoint) || paths.contains_key(endpoint), "{endpoint} is not described");
    }
    for (schema, field) in [("OAuthProblem", "error"), ("Problem", "code")] {
        let codes = &document["components"]["schemas"][schema]["properties"][field]["enum"];
        let codes = codes.as_array().unwrap();
        assert!(codes.len() >= 9, "{schema}: {codes:?}");
        for code in codes {
            assert!(page.contains(&format!("| `{}` |", code.as_str().unwrap())), "{code} is not in the page");
        }
    }
}

#[tokio::test]
async fn the_page_shows_them_under_a_strict_policy_and_can_be_switched_off() {
    let system = System::start(Database::Sqlite).await;
    let page = system.http.get(system.auth_url("/docs/")).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    let browser = Browser::start(&system.folder.path().join("profile")).await;
    browser.open(&format!("http://localhost:{}/docs/", system.auth.http.port())).await;
    eventually("every operation is shown", || async {
        let shown = browser.value("document.querySelectorAll('.opblock').length").await;
        (shown.as_u64().unwrap() >= 25).then_some(())
    })
    .await;
    assert_eq!(
        browser.value("document.querySelector('.title').firstChild.textContent.trim()").await,
        json!("Signet")
    );

    let off = System::with(Database::Sqlite, &[("AUTH__HTTP__DOCS", "false")]).await;
    for path in ["/docs/", "/docs", "/api/openapi.json"] {
        assert_eq!(off.http.get(off.auth_url(path)).send().await.unwrap().status(), 404, "{path}");
    }
    let root: Value = off.http.get(off.auth_url("/")).send().await.unwrap().json().await.unwrap();
    assert_eq!(root["docs"], Value::Null);
}
