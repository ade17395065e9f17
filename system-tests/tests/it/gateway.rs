//! The gateway, asked by a real nginx in front of real applications, and directly as other proxies ask.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse, HttpResponse};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Request as About};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use rustix::process::Signal;
use serde_json::Value;
use system_tests::hostile::high_s_twin;
use system_tests::processes::{Env, Service, free_address, run};
use system_tests::protocol::{channel, unverified_claims};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::django::{Django, example};
use super::feeds::certificates;

/// The gateway of a system, by a settings file of its own.
pub(crate) struct Gateway {
    pub(crate) service: Service,
    folder: tempfile::TempDir,
}

impl Gateway {
    /// Returns when it has keys.
    pub(crate) async fn start(system: &System, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = Self::env(system, folder.path(), settings);
        let arguments = ["--config", "gateway.toml"];
        let service = Service::start_with("signet-gateway", &arguments, folder.path(), &env).await;
        let gateway = Self { service, folder };
        gateway.ready().await;
        gateway
    }

    fn env(system: &System, folder: &Path, settings: &str) -> Env {
        std::fs::write(folder.join("gateway.toml"), settings).unwrap();
        // It follows the authority as the resource service does.
        let of_resource = system.resource_env.iter();
        let mut env: Env =
            of_resource.map(|(key, value)| (key.replace("RESOURCE__", "GATEWAY__"), value.clone())).collect();
        env.insert("GATEWAY__DATA_DIR".to_owned(), format!("{}/data", folder.display()));
        env
    }

    async fn ready(&self) {
        let url = format!("http://{}/readyz", self.service.http);
        eventually("the gateway has keys", || async {
            reqwest::get(&url).await.ok()?.status().is_success().then_some(())
        })
        .await;
    }

    /// GET /verify as a proxy asks, with headers.
    async fn verify(&self, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = reqwest::Client::new().get(format!("http://{}/verify", self.service.http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

/// nginx with an example of `deploy/nginx`, its addresses replaced.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Nginx {
    pub(crate) async fn start(gateway: SocketAddr, application: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backends = [("127.0.0.1:8083", gateway), ("127.0.0.1:8000", application)];
        Self::with("nginx/gateway.conf", "127.0.0.1:8088", &backends, folder).await
    }

    /// With an example that listens at `listens`, and addresses in it that stand for others. Files that it
    /// names lie in `folder`.
    pub async fn with(
        conf: &str,
        listens: &str,
        backends: &[(&str, SocketAddr)],
        folder: tempfile::TempDir,
    ) -> Self {
        let address = free_address();
        let mut gateway_conf = example(conf);
        for name in ["auth.example", "app.example"] {
            gateway_conf = gateway_conf.replace(&format!("server_name {name};"), "server_name 127.0.0.1;");
        }
        gateway_conf = gateway_conf.replace(listens, &address.to_string());
        for (written, meant) in backends {
            gateway_conf = gateway_conf.replace(written, &meant.to_string());
        }
        let path = folder.path().display();
        let main = format!(
            "daemon off; master_process off; pid {path}/nginx.pid; error_log {path}/error.log info;
             events {{ worker_connections 8192; }}
             http {{
                 access_log off;
                 client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
                 fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
                 {gateway_conf}
             }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), main).unwrap();
        let child = Command::new("nginx")
            .args(["-p", &path.to_string(), "-c", "nginx.conf", "-e", "error.log"])
            .stdin(Stdio::null())
            .spawn()
            .expect("no nginx: apt-get install nginx");
        eventually("nginx listens", || async { tokio::net::TcpStream::connect(address).await.ok() }).await;
        Self { child, address, folder }
    }

    /// What it has complained of.
    pub fn complaints(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("error.log")).unwrap();
        log.lines()
            .filter(|line| line.contains("[error]") || line.contains("[warn]"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// A request as it is written, byte by byte: status line and all.
    async fn raw(&self, request: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
    ) -> reqwest::Response {
        self.send(reqwest::Method::GET, path, token, headers).await
    }

    async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
    ) -> reqwest::Response {
        let mut request = reqwest::Client::new().request(method, format!("http://{}{path}", self.address));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An application that answers with the head of the request as it arrived.
pub(crate) async fn echo() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 16 * 1024];
                let read = stream.read(&mut head).await.unwrap_or(0);
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {read}\r\nConnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&head[..read]).await;
            });
        }
    });
    address
}

async fn machine(system: &System, scope: &str) -> String {
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    Protocol::Http.client_token(system, credentials, (scope, "")).await.unwrap()
}

#[tokio::test]
async fn nginx_lets_pass_what_the_rules_allow_and_says_who_it_is() {
    let system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();

    let answer = nginx.get("/anything?q=1", Some(&pair.access), &[]).await;
    assert_eq!(answer.status(), 200);
    let head = answer.text().await.unwrap().to_lowercase();
    let claims = unverified_claims(&pair.access);
    let line = |name: &str, value: &Value| format!("\r\n{name}: {}\r\n", value.as_str().unwrap());
    for expected in [
        line("x-signet-subject", &claims["sub"]),
        line("x-signet-client", &claims["client_id"]),
        line("x-signet-scope", &claims["scope"]),
        line("x-signet-session", &claims["sid"]),
    ] {
        assert!(head.contains(&expected), "{expected} in {head}");
    }
    assert!(!head.contains("authorization"), "the token ends at the gateway: {head}");

    let none = nginx.get("/notes", None, &[]).await;
    assert_eq!(none.status(), 401);
    assert_eq!(none.headers()["www-authenticate"], "Bearer");
    let read_only = machine(&system, "notes:read").await;
    let refused = nginx.send(reqwest::Method::POST, "/notes", Some(&read_only), &[]).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(nginx.get("/notes", Some(&read_only), &[]).await.status(), 200);
    let strange = nginx.send(reqwest::Method::from_bytes(b"PURGE").unwrap(), "/notes", Some(&read_only), &[]);
    assert_eq!(strange.await.status(), 403, "no rule names it");
    let public = nginx.get("/static/a.css", None, &[]).await;
    assert_eq!(public.status(), 200);
    assert!(!public.text().await.unwrap().to_lowercase().contains("x-signet-subject: u"));

    for (what, token) in [("a refresh token", &pair.refresh), ("garbage", &"a.b.c".to_owned())] {
        assert_eq!(nginx.get("/notes", Some(token), &[]).await.status(), 401, "{what}");
    }
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    eventually("a revoked token is refused", || async {
        (nginx.get("/notes", Some(&pair.access), &[]).await.status() == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_that_a_client_says_of_itself_gets_through_nginx() {
    let system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let token = machine(&system, "notes:read").await;
    for name in
        ["X-Signet-Subject", "x-signet-roles", "X_Signet_Subject", "X_SIGNET_ROLES", "X-Signet_Client"]
    {
        for (path, token) in [("/notes", Some(token.as_str())), ("/static/a", None)] {
            let answer = nginx.get(path, token, &[(name, "forged")]).await;
            let status = answer.status();
            let reached = answer.text().await.unwrap();
            assert!(!reached.contains("forged"), "{name} at {path}: {status}: {reached}");
            assert!(status == 200 || status == 400, "{name} at {path}: {status}");
        }
    }
    // Headers by which other proxies describe a request, and another way to the public path.
    for headers in [
        [("X-Forwarded-Uri", "/static/a"), ("X-Forwarded-Method", "GET")],
        [("X-Original-URI", "/static/a"), ("X-Original-Method", "GET")],
    ] {
        assert_eq!(nginx.get("/notes", None, &headers).await.status(), 401, "{headers:?}");
    }
    for path in [
        "/static/../notes",
        "/static/%2e%2e/notes",
        "/static/..%2fnotes",
        "//static/a",
        "/static//../notes",
        "/static#/../notes",
        "/static/..;/notes",
        "/static\\..\\notes",
        "/%73tatic/../notes",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = nginx.raw(&request).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    let two = format!(
        "GET /notes HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let answer = nginx.raw(&two).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "two headers: {answer}");
    let both = nginx.get(&format!("/notes?access_token={token}"), Some(&token), &[]).await;
    assert_eq!(both.status(), 400, "a token in two places");
    let query = nginx.get(&format!("/notes?access_token={token}"), None, &[]).await;
    assert_eq!(query.status(), 401, "the query is no place for a token");
    assert_eq!(nginx.get("/_signet/verify", Some(&token), &[]).await.status(), 404, "not for clients");
}

#[tokio::test]
async fn a_django_application_behind_nginx_knows_who_calls() {
    const PROJECT: &str = r#"
import sys
from django.conf import settings
settings.configure(
    SECRET_KEY="only for this test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    MIDDLEWARE=["signet_client.django.identity.SignetIdentityMiddleware"],
)
import django
django.setup()
from django.http import JsonResponse
from django.urls import path

def whoami(request):
    who = request.signet
    if who is None:
        return JsonResponse({"subject": None})
    return JsonResponse({"subject": who.subject, "roles": who.roles, "may_write": who.has_scope("notes:write")})

urlpatterns = [path("whoami/", whoami), path("static/who", whoami)]
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"#;
    let system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let django = Django::run(gateway.folder.path(), PROJECT, &[]);
    let nginx = Nginx::start(gateway.service.http, django.address).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let answer = eventually("Django answers", || async {
        let answer = nginx.get("/whoami/", Some(&pair.access), &[]).await;
        (answer.status() == 200).then_some(answer)
    })
    .await;
    let who: Value = answer.json().await.unwrap();
    assert_eq!(who["subject"], unverified_claims(&pair.access)["sub"]);
    assert_eq!(who["may_write"], true);
    assert_eq!(nginx.get("/whoami/", None, &[]).await.status(), 401);
    // Through Django's eyes a dash and an underscore are the same.
    for name in ["X-Signet-Subject", "X_Signet_Subject"] {
        let answer = nginx.get("/static/who", None, &[(name, "admin")]).await;
        if answer.status() == 200 {
            assert_eq!(answer.json::<Value>().await.unwrap()["subject"], Value::Null, "{name}");
        }
    }
}

#[tokio::test]
async fn with_the_authority_away_each_rule_follows_its_policy_and_without_the_gateway_nothing_passes() {
    let mut system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let token = machine(&system, "").await;
    let status = |method: &'static str| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let (nginx, token) = (&nginx, &token);
        async move { nginx.send(method, "/notes", Some(token), &[]).await.status().as_u16() }
    };
    assert_eq!((status("GET").await, status("POST").await), (200, 200));
    system.auth.signal(Signal::KILL);
    system.auth.ended().await;
    eventually("writing is refused once nobody knows what was revoked", || async {
        match status("POST").await {
            200 => None,
            503 => Some(()),
            other => panic!("{other}"),
        }
    })
    .await;
    assert_eq!(status("GET").await, 200, "reading goes on by what is known");
    system.restart_auth().await;
    eventually("writing goes on", || async { (status("POST").await == 200).then_some(()) }).await;

    gateway.service.stop().await;
    assert_eq!((status("GET").await, status("POST").await), (503, 503));
}

/// Each server of each sample names its own host, refuses others, and redirects without a name.
#[tokio::test]
async fn no_sample_of_nginx_says_back_what_a_caller_wrote_into_host() {
    for sample in ["nginx/authority.conf", "nginx/feeds.conf", "nginx/gateway.conf", "compose/nginx.conf"] {
        let conf = example(sample);
        let servers: Vec<&str> = conf.split("server {").skip(1).collect();
        for server in &servers {
            assert!(server.contains("server_name "), "{sample}: {server}");
        }
        let defaults = servers.iter().filter(|server| server.contains("return 421;")).count();
        let doors = conf.matches(" default_server;").count();
        assert!(defaults >= 1 && doors >= defaults, "{sample}");
        assert!(conf.contains("absolute_redirect off;"), "{sample}");
    }
    let system = System::start(Database::Sqlite).await;
    for (sample, listens) in
        [("nginx/authority.conf", "127.0.0.1:8443 ssl http2"), ("nginx/gateway.conf", "127.0.0.1:8088")]
    {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let backends = ["8080", "8082", "8083", "8000"].map(|port| format!("127.0.0.1:{port}"));
        let backends = backends.each_ref().map(|written| (written.as_str(), system.auth.http));
        let nginx = Nginx::with(sample, listens, &backends, folder).await;
        for host in ["evil.test", "evil.test:80", "127.0.0.1.evil.test"] {
            for path in ["/api/token", "/", "/_signet/verify"] {
                let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
                let answer = nginx.raw(&request).await;
                assert!(
                    answer.starts_with("HTTP/1.1 421 ") && !answer.contains("evil"),
                    "{sample}: {answer}"
                );
            }
        }
        let own = format!("GET /api/token HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", nginx.address);
        let answer = nginx.raw(&own).await;
        let location = answer.lines().find_map(|line| line.strip_prefix("Location: "));
        assert_eq!(location, (sample == "nginx/authority.conf").then_some("/api/token/"), "{answer}");
    }
}

#[tokio::test]
async fn what_a_client_says_of_its_way_does_not_reach_the_application_and_cookies_do_not_reach_the_gateway() {
    let system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let token = machine(&system, "notes:read").await;
    let cookie = format!("c={}", "x".repeat(6500));
    let sent = [
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Proto", "gopher"),
        ("Forwarded", "for=198.51.100.7"),
        ("Cookie", cookie.as_str()),
        ("Cookie", cookie.as_str()),
        ("Cookie", cookie.as_str()),
    ];
    let answer = nginx.get("/notes", Some(&token), &sent).await;
    assert_eq!(answer.status(), 200, "cookies of 19 KiB are none of the gateway's business");
    let seen = answer.text().await.unwrap().to_ascii_lowercase();
    for strange in ["198.51.100.7", "evil.test", "gopher", &token.to_ascii_lowercase()] {
        assert!(!seen.contains(strange), "{strange}: {seen}");
    }
    assert!(
        seen.contains("x-forwarded-for: 127.0.0.1") && seen.contains("x-forwarded-proto: http"),
        "{seen}"
    );
    let preflight = nginx.send(reqwest::Method::OPTIONS, "/notes", None, &[]).await;
    assert_eq!(preflight.status(), 200, "a preflight carries no token");
}

#[tokio::test]
async fn a_request_that_names_another_method_or_path_for_the_application_is_refused() {
    let system = System::start(Database::Sqlite).await;
    let rules = example("nginx/gateway.toml");
    let gateway = Gateway::start(&system, &rules).await;
    let nginx = Nginx::start(gateway.service.http, echo().await).await;
    let token = machine(&system, "notes:read").await;
    for (name, value) in [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "DELETE"),
        ("X-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
    ] {
        let answer = nginx.get("/notes", Some(&token), &[(name, value)]).await;
        assert_eq!(answer.status(), 400, "{name}");
    }
    assert_eq!(nginx.get("/notes?_method=DELETE", Some(&token), &[]).await.status(), 400);
    assert_eq!(nginx.get("/notes", Some(&token), &[]).await.status(), 200);
    let passing = rules.replace("[gateway]\n", "[gateway]\noverrides = \"pass\"\n");
    let gateway = Gateway::start(&system, &passing).await;
    let described = [("X-Original-Method", "GET"), ("X-Original-URI", "/notes")];
    let authorization = format!("Bearer {token}");
    let request =
        [&described[..], &[("Authorization", &authorization), ("X-HTTP-Method", "DELETE")]].concat();
    assert_eq!(gateway.verify(&request).await.status(), 200, "where the operator wants it");
}

#[tokio::test]
async fn traefik_and_caddy_ask_by_other_headers_and_each_proxy_by_its_own_only() {
    let system = System::start(Database::Sqlite).await;
    let token = format!("Bearer {}", machine(&system, "notes:read").await);
    let rules = example("nginx/gateway.toml");
    for proxy in ["traefik", "caddy"] {
        let settings = rules.replace("proxy = \"nginx\"", &format!("proxy = \"{proxy}\""));
        let gateway = Gateway::start(&system, &settings).await;
        let forwarded = |method, path| [("X-Forwarded-Method", method), ("X-Forwarded-Uri", path)];
        let with_token = |described: [(&'static str, &'static str); 2]| {
            [described[0], described[1], ("Authorization", token.as_str())]
        };
        let answer = gateway.verify(&with_token(forwarded("GET", "/notes"))).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-signet-subject"].to_str().unwrap()),
            (200, "client:gateway")
        );
        let public = gateway.verify(&forwarded("GET", "/static/x")).await;
        assert_eq!(
            (public.status().as_u16(), &public.headers()["x-signet-subject"]),
            (200, &"".parse().unwrap())
        );
        assert_eq!(gateway.verify(&with_token(forwarded("POST", "/notes"))).await.status(), 403);
        let none = gateway.verify(&forwarded("GET", "/notes")).await;
        assert_eq!(
            (none.status().as_u16(), &none.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );
        let of_nginx = [("X-Original-Method", "GET"), ("X-Original-URI", "/static/x")];
        assert_eq!(gateway.verify(&of_nginx).await.status(), 400, "not described");
        let twice = [forwarded("GET", "/notes"), forwarded("GET", "/static/x")].concat();
        assert_eq!(gateway.verify(&twice).await.status(), 400, "described twice");
        for copy in ["X-Signet-Subject", "x_signet_subject"] {
            let headers = [forwarded("GET", "/static/x").as_slice(), &[(copy, "admin")]].concat();
            assert_eq!(gateway.verify(&headers).await.status(), 400, "{copy}");
        }
    }
}

#[tokio::test]
async fn envoy_asks_over_grpc() {
    let system = System::start(Database::Sqlite).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let token = machine(&system, "notes:read").await;
    let client = AuthorizationClient::new(channel(gateway.service.grpc).await);
    let check = |method: &str, path: &str, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let http =
            HttpRequest { method: method.to_owned(), path: path.to_owned(), headers, ..Default::default() };
        let about = About { http: Some(http), ..Default::default() };
        let attributes = AttributeContext { request: Some(about), ..Default::default() };
        let mut client = client.clone();
        async move { client.check(CheckRequest { attributes: Some(attributes) }).await.unwrap().into_inner() }
    };
    let code = |answer: &CheckResponse| answer.status.as_ref().unwrap().code;
    let bearer = format!("Bearer {token}");
    let forged = [
        ("authorization", bearer.as_str()),
        ("x-signet-subject", "admin"),
        ("x_signet_subject", "admin"),
        ("x-signet-session", "s"),
    ];
    let allowed = check("GET", "/notes", &forged).await;
    assert_eq!(code(&allowed), 0);
    let Some(HttpResponse::OkResponse(ok)) = allowed.http_response else { panic!("{allowed:?}") };
    let set: Vec<(String, String)> = ok
        .headers
        .into_iter()
        .filter_map(|option| option.header)
        .map(|header| (header.key, header.value))
        .collect();
    assert!(set.contains(&("x-signet-subject".to_owned(), "client:gateway".to_owned())), "{set:?}");
    for name in ["x-signet-session", "x_signet_subject", "x-signet_roles", "X_SIGNET_CLIENT"] {
        let removed = ok.headers_to_remove.contains(&name.to_lowercase());
        assert!(removed, "what is not overwritten is removed: {name} of {:?}", ok.headers_to_remove);
    }
    assert!(!ok.headers_to_remove.contains(&"x-signet-subject".to_owned()), "what is set stays");
    // Also where Envoy was not told to show them.
    let Some(HttpResponse::OkResponse(public)) = check("GET", "/static/a", &[]).await.http_response else {
        panic!("public")
    };
    assert_eq!(public.headers_to_remove.len(), 21, "every spelling of every one, and the token");
    assert!(ok.headers_to_remove.contains(&"authorization".to_owned()));

    for (what, answer, expected, status) in [
        ("no token", check("GET", "/notes", &[]).await, 16, 401),
        ("no scope", check("POST", "/notes", &[("authorization", &bearer)]).await, 7, 403),
        ("no rule", check("PURGE", "/notes", &[("authorization", &bearer)]).await, 7, 403),
        (
            "two tokens",
            check("GET", "/notes", &[("authorization", &format!("{bearer},{bearer}"))]).await,
            3,
            400,
        ),
        ("a dotted path", check("GET", "/static/../notes", &[]).await, 3, 400),
    ] {
        let Some(HttpResponse::DeniedResponse(denied)) = &answer.http_response else { panic!("{what}") };
        assert_eq!((code(&answer), denied.status.as_ref().unwrap().code), (expected, status), "{what}");
    }
    let nothing = client.clone().check(CheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(code(&nothing), 3);
}

#[tokio::test]
async fn rules_that_cannot_be_meant_end_the_start_with_their_name() {
    let system = System::start(Database::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let base = "[gateway]\nscopes = [\"a\"]\n";
    for (rules, told) in [
        ("[[gateway.rules]]\npath = \"/x\"\nscope = \"b\"\n", "gateway rule 1 (/x): the scope `b`"),
        (
            "[[gateway.rules]]\npath = \"/x\"\nscope = \"a\"\n[[gateway.rules]]\npath = \"/x/\"\nscope = \"a\"\n",
            "gateway rule 2 (/x/): it overlaps with rule 1",
        ),
        ("[[gateway.rules]]\npath = \"/x\"\nscopes = \"a\"\n", "scopes"),
        ("", "no rule is set"),
    ] {
        let env = Gateway::env(&system, folder.path(), &format!("{base}{rules}"));
        let output = run("signet-gateway", &["--config", "gateway.toml"], folder.path(), &env, "");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(told), "{told}: {error}");
    }
}

#[tokio::test]
async fn the_twins_of_a_revoked_token_are_refused() {
    let system = System::with(Database::Sqlite, &[("AUTH__KEYS__ALGORITHM", "ES256")]).await;
    let gateway = Gateway::start(&system, &example("nginx/gateway.toml")).await;
    let pair = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    let twin = high_s_twin(&pair.access);
    let last = pair.access.len() - 1;
    let spare_bits = ["A", "B", "C", "D"].map(|end| format!("{}{end}", &pair.access[..last]));
    let verify = |token: String| {
        let gateway = &gateway;
        async move {
            let bearer = format!("Bearer {token}");
            let headers = [
                ("X-Original-Method", "GET"),
                ("X-Original-URI", "/notes"),
                ("Authorization", bearer.as_str()),
            ];
            gateway.verify(&headers).await.status().as_u16()
        }
    };
    assert_eq!((verify(pair.access.clone()).await, verify(twin.clone()).await), (200, 200), "both verify");
    Protocol::Http.end(&system, &pair.refresh).await.unwrap();
    eventually("the token is refused", || async { (verify(pair.access.clone()).await == 401).then_some(()) })
        .await;
    assert_eq!(verify(twin).await, 401, "it says the same of itself");
    for other in spare_bits {
        assert_eq!(verify(other).await, 401);
    }
}
