//! Applications and proxies that log their users in: started as they are, and used in a real browser.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use system_tests::browser::Browser;
use system_tests::eventually;
use system_tests::listener::Listener;
use system_tests::openid::Provider;
use system_tests::processes::{Owned, free_address, installed_by};

use super::{log_in_here, provider, root};

/// An authority with a client, an application of it, and a browser.
struct World {
    provider: Provider,
    issuer: String,
    browser: Browser,
    port: String,
    secret: String,
    process: Option<Owned>,
}

impl World {
    /// Registers the client `app` whose redirect URI has this path.
    async fn with_client(redirect_path: &str) -> Self {
        let (provider, issuer) = provider().await;
        let port = free_address().port().to_string();
        let redirect_uri = format!("http://localhost:{port}{redirect_path}");
        let home = format!("http://localhost:{port}");
        let slash = format!("{home}/");
        let base = ["client", "create", "app", "--redirect-uri", &redirect_uri];
        let out = ["--post-logout-redirect-uri", &home, "--post-logout-redirect-uri", &slash];
        let arguments: Vec<&str> = base.iter().chain(&out).copied().collect();
        let created = provider.cli(&arguments);
        let secret = created["client_secret"].as_str().unwrap().to_owned();
        provider.knows("app").await;
        let browser = Browser::start(&provider.folder.path().join("profile")).await;
        Self { provider, issuer, browser, port, secret, process: None }
    }

    fn folder(&self) -> &Path {
        self.provider.folder.path()
    }

    fn at(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    /// Starts the application, and waits until it listens.
    async fn start(&mut self, command: &mut Command) {
        let log = File::create(self.folder().join("application.log")).unwrap();
        let command = command.current_dir(self.folder()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(Owned(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))));
        let process = &mut self.process.as_mut().unwrap().0;
        let (port, log) = (self.port.clone(), self.provider.folder.path().join("application.log"));
        eventually("the application listens", || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", fs::read_to_string(&log).unwrap());
            let listens = TcpStream::connect(format!("127.0.0.1:{port}")).is_ok();
            async move { listens.then_some(()) }
        })
        .await;
    }

    /// Starts one that takes the issuer, the client and a port.
    async fn start_script(&mut self, program: &Path, script: &Path) {
        let mut command = Command::new(program);
        command.arg(script).args([&self.issuer, "app", &self.secret, &self.port]);
        self.start(&mut command).await;
    }

    async fn start_node(&mut self, script: &str) {
        let source = root().join("system-tests/interop/node").join(script);
        // Node looks for modules beside the script.
        let copy = installed_by("scripts/interop", "system-tests-interop-node").join(script);
        fs::copy(source, &copy).unwrap();
        self.start_script(Path::new("node"), &copy).await;
    }

    async fn start_python(&mut self, script: &str) {
        let script = root().join("system-tests/interop/python").join(script);
        self.start_script(&installed_by("scripts/interop", "interop-venv/bin/python"), &script).await;
    }

    /// A file of system-tests/interop, with what stands there in braces.
    fn configure(&self, name: &str, more: &[(&str, &str)]) -> PathBuf {
        let folder = self.folder().display().to_string();
        let known = [
            ("FOLDER", folder.as_str()),
            ("PORT", &self.port),
            ("ISSUER", &self.issuer),
            ("CLIENT_ID", "app"),
            ("CLIENT_SECRET", &self.secret),
        ];
        let text = fs::read_to_string(root().join("system-tests/interop").join(name)).unwrap();
        let text = known
            .iter()
            .chain(more)
            .fold(text, |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        let path = self.folder().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn knows(&self, who: &str) {
        self.browser.shows("#who", who).await;
    }

    /// Whether the authority has forgotten the browser, too.
    async fn is_logged_out_everywhere(&self) {
        assert_eq!(self.provider.cli_list(&["browser-session", "list"]), serde_json::json!([]));
    }
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn auth_js() {
    let mut world = World::with_client("/auth/callback/signet").await;
    world.start_node("auth_js.mjs").await;
    world.browser.open(&world.at("/auth/signin?callbackUrl=/")).await;
    world.browser.click("form[action$='/auth/signin/signet'] button").await;
    log_in_here(&world.browser).await;
    world.knows("Alice Liddell").await;
    world.browser.open(&world.at("/auth/signout?callbackUrl=/")).await;
    world.browser.click("form button").await;
    world.knows("nobody").await;
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn express_openid_connect() {
    let mut world = World::with_client("/callback").await;
    world.start_node("express_openid_connect.mjs").await;
    world.browser.open(&world.at("/login")).await;
    log_in_here(&world.browser).await;
    world.knows("Alice Liddell").await;
    world.browser.open(&world.at("/logout")).await;
    world.knows("nobody").await;
    world.is_logged_out_everywhere().await;
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn mozilla_django_oidc() {
    let mut world = World::with_client("/oidc/callback/").await;
    world.start_python("mozilla_app.py").await;
    world.browser.open(&world.at("/oidc/authenticate/")).await;
    log_in_here(&world.browser).await;
    world.knows("alice@app.test").await;
    world.browser.click("#out").await;
    world.knows("nobody").await;
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn django_allauth() {
    let mut world = World::with_client("/accounts/oidc/signet/login/callback/").await;
    world.start_python("allauth_app.py").await;
    world.browser.open(&world.at("/accounts/oidc/signet/login/")).await;
    world.browser.click("button[type=submit]").await;
    log_in_here(&world.browser).await;
    world.knows("Alice Liddell").await;
    world.browser.open(&world.at("/accounts/logout/")).await;
    world.browser.click("button[type=submit]").await;
    world.knows("nobody").await;
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn apache_mod_auth_openidc() {
    let mut world = World::with_client("/private/callback").await;
    fs::create_dir_all(world.folder().join("pages/private")).unwrap();
    let page = "<!doctype html><p id=\"who\"><!--#echo var=\"OIDC_CLAIM_name\" --></p>";
    fs::write(world.folder().join("pages/private/page.shtml"), page).unwrap();
    fs::write(world.folder().join("pages/index.html"), "<!doctype html><p id=\"who\">nobody</p>").unwrap();
    let configuration = world.configure("apache.conf", &[]);
    let mut apache = Command::new("/usr/sbin/apache2");
    world.start(apache.args(["-X", "-f"]).arg(configuration)).await;
    world.browser.open(&world.at("/private/page.shtml")).await;
    log_in_here(&world.browser).await;
    world.knows("Alice Liddell").await;
    let home = world.at("/");
    world.browser.open(&world.at(&format!("/private/callback?logout={home}"))).await;
    world.knows("nobody").await;
    world.is_logged_out_everywhere().await;
}

#[tokio::test]
#[ignore = "scripts/interop"]
async fn envoy_oauth2_filter() {
    let mut world = World::with_client("/callback").await;
    let application = Listener::start().await;
    let secret = world.secret.clone();
    for (name, value) in [("token", secret.as_str()), ("hmac", "a secret of this proxy alone")] {
        let text = format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret\n  \
             name: {name}\n  generic_secret: {{ secret: {{ inline_string: \"{value}\" }} }}\n"
        );
        fs::write(world.folder().join(format!("{name}.yaml")), text).unwrap();
    }
    let ports = [application.address.port().to_string(), world.provider.service.http.port().to_string()];
    let configuration = world.configure("envoy.yaml", &[("APP_PORT", &ports[0]), ("ISSUER_PORT", &ports[1])]);
    let mut envoy = Command::new(installed_by("scripts/interop", "interop-venv/bin/envoy"));
    world.start(envoy.args(["--disable-hot-restart", "-c"]).arg(configuration)).await;
    world.browser.open(&world.at("/")).await;
    log_in_here(&world.browser).await;
    let request = application.next(Duration::from_secs(10)).await;
    let token = request.headers["authorization"].strip_prefix("Bearer ").unwrap().to_owned();
    let told = world.provider.userinfo(&token).await.json();
    assert_eq!(told["name"], "Alice Liddell");
    world.browser.open(&world.at("/signout")).await;
    world.is_logged_out_everywhere().await;
}
