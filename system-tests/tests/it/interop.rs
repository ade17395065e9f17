//! Unmodified OpenID clients log in and out. Those with much to install are run by scripts/interop.

mod applications;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reqwest::Url;
use serde_json::Value;
use system_tests::browser::{Browser, Site};
use system_tests::openid::{BYE, CALLBACK, Provider, UserAgent};
use system_tests::processes::{free_address, installed_by};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, eventually};
use thirtyfour::Key;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// What a script of ours installs, with its path.
fn installed(script: &str, arguments: &[&str]) -> PathBuf {
    let output = Command::new(root().join(script)).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    root().join(String::from_utf8(output.stdout).unwrap().trim())
}

/// An authority where it says that it is, as clients check.
pub(crate) async fn provider() -> (Provider, String) {
    provider_with(&[]).await
}

async fn provider_with(settings: &[(&str, &str)]) -> (Provider, String) {
    let address = free_address().to_string();
    let issuer = format!("http://localhost:{}", address.rsplit(':').next().unwrap());
    let own = [("AUTH__HTTP__BIND", address.as_str()), ("AUTH__ISSUER", issuer.as_str())];
    (Provider::with(Database::Sqlite, &[&own[..], settings].concat()).await, issuer)
}

/// A client that asks for URLs to be opened, a line each.
struct Driven {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Driven {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// What it writes next; empty at its end.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    fn says(&mut self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("it ended: {line:?}"))
    }

    fn is_told(&mut self, url: &str) {
        writeln!(self.input, "{url}").unwrap();
    }

    /// The URL that it wants opened: path and query.
    fn wants(&mut self) -> (String, Vec<(String, String)>) {
        let said = self.says();
        let url = Url::parse(said["open"].as_str().unwrap_or_else(|| panic!("{said}"))).unwrap();
        let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        (url.path().to_owned(), query)
    }

    fn ends(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// The user goes through the pages; the client gets what came to its redirect URI.
async fn log_in(client: &mut Driven, browser: &mut UserAgent<'_>) {
    let (path, query) = client.wants();
    let query: Vec<(&str, &str)> =
        query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let first = browser.open(&path, &query).await;
    let callback = browser.go_through(first).await;
    client.is_told(Url::parse_with_params(CALLBACK, &callback.parameters).unwrap().as_str());
}

fn check(told: &Value) {
    assert_eq!(told["claims"]["sub"], told["userinfo"]["sub"], "{told}");
    assert_eq!(told["userinfo"]["name"], "Alice Liddell", "{told}");
}

#[tokio::test]
async fn openid_client_6_logs_in_refreshes_revokes_and_logs_out() {
    let (provider, issuer) = provider().await;
    let client = provider.client("node", &[]).await;
    let folder = installed("scripts/node-modules", &["system-tests/node"]);
    let script = folder.join("openid_client.mjs");
    std::fs::copy(root().join("system-tests/node/openid_client.mjs"), &script).unwrap();
    let secret = client.secret.clone().unwrap();
    let mut node =
        Driven::start(Command::new("node").arg(&script).args([&issuer, "node", &secret, CALLBACK, BYE]));
    let mut browser = UserAgent::new(&provider);
    log_in(&mut node, &mut browser).await;
    let (path, query) = node.wants();
    let query: Vec<(&str, &str)> =
        query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let out = browser.open(&path, &query).await;
    assert_eq!(out.header("location"), format!("{BYE}?state=out"));
    node.is_told(out.header("location"));
    let told = node.says();
    check(&told);
    assert_eq!(told["refreshed"], told["claims"]["sub"]);
    assert_eq!(told["userinfo"]["email_verified"], true);
    node.ends();
    let again = browser.open("/oauth2/authorize", &[("client_id", "node"), ("redirect_uri", CALLBACK)]).await;
    assert!(again.header("location").contains("error=invalid_request"), "{}", again.text);
}

#[tokio::test]
async fn authlib_logs_in() {
    let (provider, issuer) = provider().await;
    for (id, algorithm) in [("python-rs", "RS256"), ("python-es", "ES256")] {
        let client = provider.client(id, &["--id-token-algorithm", algorithm]).await;
        let python = installed("scripts/django-venv", &[]).join("bin/python");
        let secret = client.secret.clone().unwrap();
        let script = root().join("system-tests/python/authlib_client.py");
        let mut authlib =
            Driven::start(Command::new(python).arg(script).args([&issuer, id, &secret, CALLBACK]));
        log_in(&mut authlib, &mut UserAgent::new(&provider)).await;
        let told = authlib.says();
        check(&told);
        authlib.ends();
    }
}

/// A single-page application of another origin, with its tokens from a script: CORS at discovery, token and userinfo.
#[tokio::test]
async fn oidc_client_ts_logs_in_in_a_browser() {
    let (provider, issuer) = provider().await;
    let folder = installed("scripts/node-modules", &["system-tests/node"]);
    let library = folder.join("node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js");
    let library = std::fs::read_to_string(library).unwrap();
    let page = std::fs::read_to_string(root().join("examples/spa/index.html")).unwrap();
    let page = page.replace("<script src=\"oidc-client-ts.min.js\">", &format!("<script>{library}"));
    let page = page.replace("http://127.0.0.1:8080", &issuer);
    let site = Site::serve(&page);
    let origin = format!("http://localhost:{}", site.address.port());
    let redirect_uri = format!("{origin}/callback");
    let home = format!("{origin}/");
    let _ = provider.cli(&[
        "client",
        "create",
        "spa",
        "--public",
        "--redirect-uri",
        &redirect_uri,
        "--post-logout-redirect-uri",
        &home,
        "--cors-origin",
        &origin,
    ]);
    provider.knows("spa").await;
    let browser = Browser::start(&provider.folder.path().join("profile")).await;
    browser.open(&origin).await;
    browser.click("#in").await;
    log_in_here(&browser).await;
    eventually("the application knows the user", || async {
        let found = browser.driver.find(thirtyfour::By::Css("#who")).await.ok()?;
        let text = found.text().await.ok()?;
        assert!(!text.starts_with("failed"), "{text}");
        (text == "Alice Liddell").then_some(())
    })
    .await;
    browser.click("#out").await;
    browser.shows("#who", "Nobody is signed in.").await;
}

/// The user logs in and allows, on the pages that the browser is led to.
pub(crate) async fn log_in_here(browser: &Browser) {
    browser.appears("#username").await;
    browser.press(USER.to_owned() + Key::Tab).await;
    browser.press(PASSWORD.to_owned() + Key::Enter).await;
    browser.click("button[value=allow]").await;
}

/// It accepts RS256 alone unless it is told otherwise, and sends no code challenge.
#[tokio::test]
async fn go_oidc_logs_in() {
    let (provider, issuer) = provider().await;
    let client = provider.client("go", &["--pkce-optional"]).await;
    let secret = client.secret.clone().unwrap();
    let mut command = Command::new("go");
    command.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode").env("GOFLAGS", "-buildvcs=false");
    command.env("GOCACHE", root().join("target/go-cache")).current_dir(root().join("system-tests/go"));
    let mut go = Driven::start(command.args(["run", "login.go", &issuer, "go", &secret, CALLBACK]));
    log_in(&mut go, &mut UserAgent::new(&provider)).await;
    check(&go.says());
    go.ends();
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn oauth4webapi_logs_a_public_client_in() {
    let (provider, issuer) = provider().await;
    provider.client("app", &["--public", "--id-token-algorithm", "ES256"]).await;
    let folder = installed("scripts/node-modules", &["system-tests/interop/node"]);
    let script = folder.join("oauth4webapi.mjs");
    std::fs::copy(root().join("system-tests/interop/node/oauth4webapi.mjs"), &script).unwrap();
    let mut node = Driven::start(Command::new("node").arg(&script).args([&issuer, "app", CALLBACK]));
    log_in(&mut node, &mut UserAgent::new(&provider)).await;
    check(&node.says());
    node.ends();
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn openidconnect_rs_logs_in() {
    let (provider, issuer) = provider().await;
    let client = provider.client("rust", &["--id-token-algorithm", "EdDSA"]).await;
    let secret = client.secret.clone().unwrap();
    let program = installed_by("scripts/interop", "interop-rust/debug/openidconnect-client");
    let mut rust = Driven::start(Command::new(program).args([&issuer, "rust", &secret, CALLBACK]));
    log_in(&mut rust, &mut UserAgent::new(&provider)).await;
    check(&rust.says());
    rust.ends();
}

/// A command-line tool without a browser: it shows a code, keeps the refresh token, and hands out access tokens.
#[tokio::test]
#[ignore = "scripts/interop"]
async fn oidc_agent_logs_in_by_the_device_grant() {
    let (provider, issuer) = provider().await;
    let grants = ["--grant", "urn:ietf:params:oauth:grant-type:device_code", "--grant", "refresh_token"];
    let scope = ["--scope", "openid profile offline_access"];
    let client = ["client", "create", "agent", "--public"];
    let _ = provider.cli(&client.iter().chain(&grants).chain(&scope).copied().collect::<Vec<_>>());
    provider.knows("agent").await;
    let options =
        "--client-id=agent --client-secret= --flow=device --pw-env=PASSWORD --no-url-call --prompt=none";
    let session = format!(
        "eval $(oidc-agent); oidc-gen app --issuer={issuer}/ {options} --scope='openid profile offline_access' </dev/null 2>&1 \
         && oidc-token app; oidc-agent -k"
    );
    let mut agent = Command::new("sh");
    agent.args(["-c", &session]).env("HOME", provider.folder.path()).env("PASSWORD", "of this test");
    let mut agent = Driven::start(&mut agent);
    let mut said = Vec::new();
    let user_code = loop {
        said.push(agent.line());
        let is_code = |word: &&str| word.len() == 9 && word.as_bytes()[4] == b'-';
        if let Some(code) = said.last().unwrap().split_whitespace().find(is_code) {
            break code.to_owned();
        }
        assert!(!said.last().unwrap().is_empty(), "it ended: {said:?}");
    };
    let mut browser = UserAgent::new(&provider);
    let mut page = browser.submit("/device", &[("user_code", &user_code)]).await;
    for more in [&[("username", USER), ("password", PASSWORD)][..], &[("decision", "allow")]] {
        let (action, interaction) = (page.action().unwrap(), page.field("interaction").unwrap());
        page = browser.submit(&action, &[&[("interaction", interaction.as_str())], more].concat()).await;
    }
    let token = loop {
        let line = agent.line();
        assert!(!line.is_empty(), "no token");
        if line.starts_with("ey") {
            break line;
        }
    };
    assert_eq!(provider.userinfo(token.trim()).await.json()["name"], "Alice Liddell");
    agent.ends();
}

#[tokio::test]
async fn openid_client_6_and_oauth4webapi_prove_themselves_by_keys_of_their_own() {
    let (provider, issuer) = provider().await;
    let folder = installed("scripts/node-modules", &["system-tests/node"]);
    let script = folder.join("private_key_jwt.mjs");
    std::fs::copy(root().join("system-tests/node/private_key_jwt.mjs"), &script).unwrap();
    let mut node = Driven::start(Command::new("node").arg(&script).args([&issuer, "batch"]));
    let jwks = node.line();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &jwks).unwrap();
    let audience = ["audience", "create", "reports"];
    let client = ["client", "create", "batch", "--audience", "reports", "--scope", "reports:read", "--jwks"];
    let _ = provider.cli(&audience);
    let created = provider.cli(&[&client[..], &[file.path().to_str().unwrap()]].concat());
    assert_eq!(created["token_endpoint_auth_method"], "private_key_jwt", "{created}");
    assert!(created["client_secret"].is_null(), "nothing to keep secret: {created}");
    node.is_told("registered");
    let told = node.says();
    for algorithm in ["EdDSA", "ES256", "ES384", "PS256", "RS256"] {
        for token in told[algorithm].as_array().unwrap() {
            let claims = unverified_claims(token.as_str().unwrap());
            assert_eq!(
                (&claims["sub"], &claims["aud"]),
                (&"client:batch".into(), &"reports".into()),
                "{told}"
            );
        }
    }
    node.ends();
}

#[tokio::test]
async fn openid_client_6_and_oauth4webapi_bind_their_tokens_to_a_key() {
    let (provider, issuer) = provider_with(&[("AUTH__DPOP__REQUIRE_NONCE", "true")]).await;
    let _ = provider.client("app", &["--public", "--token-binding", "dpop"]).await;
    let _ = provider.cli(&["audience", "create", "reports"]);
    let service =
        provider.cli(&["client", "create", "batch", "--audience", "reports", "--token-binding", "dpop"]);
    let folder = installed("scripts/node-modules", &["system-tests/node"]);
    let script = folder.join("dpop.mjs");
    std::fs::copy(root().join("system-tests/node/dpop.mjs"), &script).unwrap();
    let secret = service["client_secret"].as_str().unwrap();
    let arguments = [issuer.as_str(), "app", CALLBACK, "batch", secret];
    let mut node = Driven::start(Command::new("node").arg(&script).args(arguments));
    log_in(&mut node, &mut UserAgent::new(&provider)).await;
    let told = node.says();
    check(&told);
    // As openid-client writes it.
    assert_eq!(told["types"], serde_json::json!(["dpop", "dpop", "dpop"]), "{told}");
    for token in told["tokens"].as_array().unwrap() {
        assert_eq!(unverified_claims(token.as_str().unwrap())["cnf"]["jkt"], told["jkt"], "{told}");
    }
    let of_service = unverified_claims(told["service"]["token"].as_str().unwrap());
    assert_eq!(of_service["cnf"]["jkt"], told["service"]["jkt"], "{told}");
    assert_eq!(told["stolen"], "invalid_dpop_proof", "the refresh token alone: {told}");
    assert_eq!(told["by_thief"], "invalid_grant", "with another key: {told}");
    assert_eq!(told["borne"], 401, "the access token alone: {told}");
    node.ends();
}
