//! The examples in four languages, as they are copied, against a running authority.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use serde_json::{Value, json};
use signet_client::{TokenError, TokenSource};
use system_tests::browser::Browser;
use system_tests::openid::UserAgent;
use system_tests::processes::{Env, Owned, Service, binary, free_address};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, auth_env, cli};
use system_tests::{Database, eventually};
use tempfile::TempDir;

use crate::django::python;
use crate::interop;

/// An authority under its own URL, and a client that calls.
struct Authority {
    folder: TempDir,
    env: Env,
    url: String,
    secret: String,
    service: Service,
    http: reqwest::Client,
}

impl Authority {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address().to_string();
        let url = format!("http://{address}");
        let own = [("AUTH__HTTP__BIND", address.as_str()), ("AUTH__ISSUER", &url)];
        let env = auth_env(Database::Sqlite, folder.path(), &[&own[..], settings].concat());
        for (audience, algorithm) in [("orders", "EdDSA"), ("orders-go", "RS256"), ("other", "EdDSA")] {
            let _ = cli(folder.path(), &env, &["audience", "create", audience, "--algorithm", algorithm], "");
        }
        let scope = "orders:read orders:write notes:read";
        let mut create = vec!["client", "create", "billing", "--scope", scope];
        for audience in ["orders", "orders-go", "notes", "other"] {
            create.extend(["--audience", audience]);
        }
        let secret = cli(folder.path(), &env, &create, "")["client_secret"].as_str().unwrap().to_owned();
        fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
        let service = Service::start("auth-service", folder.path(), &env).await;
        Self { folder, env, url, secret, service, http: reqwest::Client::new() }
    }

    async fn token(&self, audience: &str, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("audience", audience), ("scope", scope)];
        let request = self.http.post(format!("{}/oauth2/token", self.url)).form(&form);
        let answer = request.basic_auth("billing", Some(&self.secret)).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    fn secret_file(&self) -> String {
        self.folder.path().join("secret").display().to_string()
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn node(folder: &Path, file: &str) -> Command {
    let installed = binary("auth-service").parent().unwrap().join("../node/node_modules");
    assert!(installed.is_dir(), "no packages for Node: run `scripts/node-modules`");
    fs::copy(examples().join("node").join(file), folder.join(file)).unwrap();
    let _ = std::os::unix::fs::symlink(installed.canonicalize().unwrap(), folder.join("node_modules"));
    let mut command = Command::new("node");
    command.arg(folder.join(file));
    command
}

fn python_example(file: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(examples().join("python").join(file));
    command
}

fn go_example(folder: &Path) -> Command {
    let program = folder.join("verifier-go");
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&program).arg("verifier.go").current_dir(examples().join("go"));
    let cache = std::env::temp_dir().join("signet-go-cache");
    build.envs([("GO111MODULE", "off"), ("GOPATH", "/usr/share/gocode"), ("GOFLAGS", "-buildvcs=false")]);
    let built = build.env("GOCACHE", cache).output().expect("no go: apt-get install golang-go");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Command::new(program)
}

/// A verifier at an address of its own; it answers.
async fn verifier(authority: &Authority, mut command: Command, audience: &str) -> (Owned, String) {
    let address = free_address().to_string();
    command.args([&authority.url, audience, &address]).stdout(Stdio::null());
    let running = Owned(command.spawn().unwrap());
    let url = format!("http://{address}/orders");
    eventually("it answers", || async { authority.http.get(&url).send().await.ok().map(drop) }).await;
    (running, url)
}

async fn status(authority: &Authority, url: &str, token: Option<&str>) -> (u16, Value) {
    let request = authority.http.get(url);
    let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    assert!(status != 401 || answer.headers().contains_key("www-authenticate"), "{url}");
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

/// What every verifier must do.
async fn accepts_what_is_for_it_and_nothing_else(authority: &Authority, url: &str, audience: &str) {
    let good = authority.token(audience, "orders:read").await;
    eventually("it has keys", || async {
        (status(authority, url, Some(&good)).await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(status(authority, url, Some(&good)).await.1["caller"], "client:billing");
    assert_eq!(status(authority, url, None).await.0, 401);
    let mut forged = good.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for wrong in [&forged, "a.b.c", &authority.token("other", "orders:read").await] {
        assert_eq!(status(authority, url, Some(wrong)).await.0, 401, "{url}");
    }
    let narrow = authority.token(audience, "orders:write").await;
    assert_eq!(status(authority, url, Some(&narrow)).await.0, 403, "{url}");
}

#[tokio::test]
async fn resource_services_in_four_languages_accept_what_is_for_them_and_nothing_else() {
    let authority = Authority::start(&[]).await;
    let folder = authority.folder.path();
    let verifiers = [
        (Command::new(binary("resource-actix")), "orders"),
        (Command::new(binary("resource-axum")), "orders"),
        (python_example("verifier.py"), "orders"),
        (node(folder, "verifier.mjs"), "orders"),
        (go_example(folder), "orders-go"),
    ];
    for (command, audience) in verifiers {
        let (_running, url) = verifier(&authority, command, audience).await;
        accepts_what_is_for_it_and_nothing_else(&authority, &url, audience).await;
    }
}

#[tokio::test]
async fn the_rust_and_python_examples_refuse_a_revoked_token() {
    let authority = Authority::start(&[]).await;
    for command in [
        Command::new(binary("resource-actix")),
        Command::new(binary("resource-axum")),
        python_example("verifier.py"),
    ] {
        let (_running, url) = verifier(&authority, command, "orders").await;
        let token = authority.token("orders", "orders:read").await;
        eventually("it has keys", || async {
            (status(&authority, &url, Some(&token)).await.0 == 200).then_some(())
        })
        .await;
        let revoke =
            authority.http.post(format!("{}/oauth2/revoke", authority.url)).form(&[("token", &token)]);
        assert_eq!(revoke.basic_auth("billing", Some(&authority.secret)).send().await.unwrap().status(), 200);
        let begun = Instant::now();
        eventually("it refuses", || async {
            (status(&authority, &url, Some(&token)).await.0 == 401).then_some(())
        })
        .await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

fn lines(output: Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn callers_in_three_languages_call_with_a_token_of_their_own() {
    let authority = Authority::start(&[]).await;
    let folder = authority.folder.path();
    let (_orders, url) = verifier(&authority, Command::new(binary("resource-actix")), "orders").await;
    let ready = authority.token("orders", "orders:read").await;
    eventually("it has keys", || async {
        (status(&authority, &url, Some(&ready)).await.0 == 200).then_some(())
    })
    .await;
    let client = TokenSource::builder(&authority.url, "billing", &authority.secret).build().unwrap();
    let http = |origin: &str| {
        let middleware = client.middleware([origin]).unwrap();
        reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).with(middleware).build()
    };
    let answer = http(&url).get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for elsewhere in ["https://orders.example.com", "http://127.0.0.1:1"] {
        let answer = http(elsewhere).get(&url).send().await.unwrap();
        assert_eq!(answer.status(), 401, "no other server is sent the token");
    }
    for mut caller in [python_example("caller.py"), node(folder, "caller.mjs")] {
        caller.args([&authority.url, "billing", &authority.secret_file(), &url]);
        let said = lines(caller.output().unwrap());
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().all(|line| line.contains("client:billing")), "{said:?}");
    }

    // Over HTTP and gRPC: one audience for both, so that one token serves.
    let address = free_address().to_string();
    let mut tonic = Command::new(binary("resource-tonic"));
    let _notes = Owned(tonic.args([&authority.url, "orders", &address]).spawn().unwrap());
    eventually("both are called", || async {
        let mut caller = Command::new(binary("caller"));
        let notes = format!("http://{address}");
        caller.args([&authority.url, "billing", &authority.secret_file(), &url, &notes]);
        let output = caller.output().unwrap();
        output.status.success().then(|| {
            let said = lines(output);
            assert!(said[0].contains("client:billing") && said[1] == "of client:billing", "{said:?}");
        })
    })
    .await;
}

#[tokio::test]
async fn python_verifies_and_calls_over_grpc() {
    let authority = Authority::start(&[]).await;
    let folder = authority.folder.path();
    let mut generate = Command::new(python());
    generate.args(["-m", "grpc_tools.protoc", "-I"]).arg(examples().join("../proto/notes"));
    generate.arg(format!("--python_out={}", folder.display()));
    generate.arg(format!("--grpc_python_out={}", folder.display()));
    let generated = generate.arg("signet/notes/v1/notes_service.proto").output().unwrap();
    assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let example = |file: &str| {
        let mut command = python_example(file);
        command.env("PYTHONPATH", folder);
        command
    };
    let address = free_address().to_string();
    let mut service = example("grpc_verifier.py");
    let _service = Owned(service.args([&authority.url, "notes", &address]).spawn().unwrap());
    let call = |audience: &str, scope: &str| {
        let (authority, address) = (&authority, address.clone());
        let (audience, scope) = (audience.to_owned(), scope.to_owned());
        async move {
            let token = authority.token(&audience, &scope).await;
            let mut notes = NotesServiceClient::connect(format!("http://{address}")).await.ok()?;
            let mut request = tonic::Request::new(ListNotesRequest::default());
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
            Some((
                token,
                notes.list_notes(request).await.map(|answer| answer.into_inner().notes[0].text.clone()),
            ))
        }
    };
    eventually("it has keys", || async { call("notes", "notes:read").await?.1.ok() }).await;
    let code =
        |outcome: Option<(String, Result<String, tonic::Status>)>| outcome.unwrap().1.unwrap_err().code();
    assert_eq!(code(call("notes", "orders:read").await), tonic::Code::PermissionDenied);
    assert_eq!(code(call("other", "notes:read").await), tonic::Code::Unauthenticated);

    // One audience for caller and service, so that the client's first one serves.
    let address = free_address().to_string();
    let mut service = example("grpc_verifier.py");
    let _service = Owned(service.args([&authority.url, "orders", &address]).spawn().unwrap());
    eventually("it is called", || async {
        let mut caller = example("grpc_caller.py");
        let output =
            caller.args([&authority.url, "billing", &authority.secret_file(), &address]).output().unwrap();
        output.status.success().then(|| assert_eq!(lines(output), ["of client:billing"; 2]))
    })
    .await;
}

#[tokio::test]
async fn one_token_serves_all_calls_and_is_renewed_before_it_expires() {
    let mut authority = Authority::start(&[("AUTH__TOKENS__ACCESS_TTL", "6s")]).await;
    let source = || TokenSource::builder(&authority.url, "billing", &authority.secret).audience("orders");
    let tokens = source().scope("orders:read").build().unwrap();
    let asked = futures(&tokens, 50).await;
    assert!(asked.windows(2).all(|pair| pair[0] == pair[1]), "50 callers, one request");
    let claims = unverified_claims(&asked[0]);
    assert_eq!((&claims["aud"], &claims["scope"]), (&json!("orders"), &json!("orders:read")));

    // For as long as two tokens live, no call gets one that has expired.
    let (begun, mut seen) = (Instant::now(), vec![asked[0].clone()]);
    while begun.elapsed() < Duration::from_secs(13) {
        let token = tokens.token().await.unwrap();
        let expires = unverified_claims(&token)["exp"].as_u64().unwrap();
        assert!(shared_claims::clock::unix_now() < expires, "it is valid");
        if seen.last() != Some(&token) {
            seen.push(token);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((3..=4).contains(&seen.len()), "renewed {} times", seen.len());

    let wrong = TokenSource::builder(&authority.url, "billing", "wrong").build().unwrap();
    let refused = wrong.token().await.unwrap_err();
    assert!(matches!(&refused, TokenError::Refused { error, .. } if error == "invalid_client"), "{refused}");

    // Without the authority: what is held, as long as it is valid.
    authority.service.signal(rustix::process::Signal::KILL);
    authority.service.ended().await;
    assert!(tokens.token().await.is_ok());
    let gone = eventually("it has expired", || async { tokens.token().await.err() }).await;
    assert!(
        matches!(gone, TokenError::Unavailable(_)) && !gone.to_string().contains(&authority.secret),
        "{gone}"
    );
    authority.service = Service::start("auth-service", authority.folder.path(), &authority.env).await;
    assert!(tokens.token().await.is_ok(), "and is back with it");
}

async fn futures(tokens: &TokenSource, count: usize) -> Vec<std::sync::Arc<str>> {
    let asked: Vec<_> = (0..count)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.token().await.unwrap() })
        })
        .collect();
    let mut all = Vec::new();
    for one in asked {
        all.push(one.await.unwrap());
    }
    all
}

#[tokio::test]
async fn a_web_application_logs_its_users_in_and_out() {
    let (provider, issuer) = interop::provider().await;
    let address = free_address().to_string();
    let base = format!("http://{address}");
    let (callback, home) = (format!("{base}/callback"), format!("{base}/"));
    let created = provider.cli(&[
        "client",
        "create",
        "web",
        "--redirect-uri",
        &callback,
        "--post-logout-redirect-uri",
        &home,
    ]);
    let secret = created["client_secret"].as_str().unwrap();
    provider.knows("web").await;
    let mut command = node(provider.folder.path(), "login.mjs");
    let _running = Owned(command.args([&issuer, "web", secret, &address]).spawn().unwrap());
    let http = reqwest::Client::new();
    eventually("it answers", || async { http.get(&base).send().await.ok().map(drop) }).await;
    let browser = Browser::start(&provider.folder.path().join("profile")).await;
    browser.open(&format!("{base}/login")).await;
    interop::log_in_here(&browser).await;
    browser.shows("body", "signed in as Alice Liddell").await;
    browser.open(&format!("{base}/logout")).await;
    browser.shows("body", "nobody is signed in: /login").await;
}

#[tokio::test]
async fn a_command_line_tool_logs_its_user_in_on_another_device() {
    let (provider, issuer) = interop::provider().await;
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let _ =
        provider.cli(&["client", "create", "cli", "--public", "--grant", grant, "--scope", "openid profile"]);
    let mut command = python_example("device_login.py");
    command.args([&issuer, "cli"]).stdout(Stdio::piped());
    let mut running = Owned(command.spawn().unwrap());
    let mut output = BufReader::new(running.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told = output.next().unwrap();
    let user_code = told.rsplit(' ').next().unwrap().to_owned();
    assert_eq!(told, format!("Open {issuer}/device and enter {user_code}"));
    let mut browser = UserAgent::new(&provider);
    let login = browser.submit("/device", &[("user_code", &user_code)]).await;
    let interaction = login.field("interaction").unwrap();
    let form = [("interaction", interaction.as_str()), ("username", "alice"), ("password", PASSWORD)];
    let consent = browser.submit("/login/password", &form).await;
    let interaction = consent.field("interaction").unwrap();
    let decision = [("interaction", interaction.as_str()), ("decision", "allow")];
    assert_eq!(browser.submit("/login/consent", &decision).await.status, 200);
    assert_eq!(output.next().as_deref(), Some("signed in as alice"));
}
