//! Clients with certificates (RFC 8705): how they prove themselves, and the tokens that are bound to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};
use reqwest::{Identity, RequestBuilder};
use serde_json::{Value, json};
use signet_proto::auth::v1::IssueClientTokenRequest;
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use system_tests::certificates::{Authority, Certificate, dns, of_client, uri};
use system_tests::processes::{Env, Owned, Service, free_address};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, USER, auth_env, cli};
use system_tests::{Database, System, eventually};
use tempfile::TempDir;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::feeds::certificates;
use crate::gateway::Gateway;
use crate::interop::root;

const SPIFFE_ID: &str = "spiffe://example.org/billing";

/// An authority with TLS that asks for certificates, and its clients.
struct Range {
    folder: TempDir,
    env: Env,
    auth: Service,
    known: Authority,
    /// The certificate of the client `listed`.
    own: Certificate,
}

fn create(folder: &Path, env: &Env, id: &str, more: &[&str]) -> Value {
    let base = ["client", "create", id, "--audience", "notes", "--scope", "notes:read"];
    cli(folder, env, &[&base[..], &["--token-binding", "certificate"], more].concat(), "")
}

impl Range {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        certificates(folder.path());
        let (known, own) = (Authority::new(), Certificate::self_signed("listed"));
        fs::write(path("clients.pem"), &known.pem).unwrap();
        fs::write(path("listed.pem"), &own.pem).unwrap();
        let (certificate, key, clients) = (path("server.crt"), path("server.key"), path("clients.pem"));
        let settings = [
            ("AUTH__TLS__CERTIFICATE_FILE", certificate.as_str()),
            ("AUTH__TLS__KEY_FILE", &key),
            ("AUTH__TLS__CLIENT_CA_FILE", &clients),
            ("AUTH__TLS__REQUEST_CLIENT_CERTIFICATES", "true"),
        ];
        let env = auth_env(Database::Sqlite, folder.path(), &settings);
        let named = create(folder.path(), &env, "named", &["--tls-san-uri", SPIFFE_ID]);
        assert_eq!(named["token_endpoint_auth_method"], "tls_client_auth");
        assert_eq!(named["tls_client_auth_san_uri"], SPIFFE_ID);
        assert!(named["client_secret"].is_null(), "{named}");
        let listed = create(folder.path(), &env, "listed", &["--certificate", &path("listed.pem")]);
        assert_eq!(listed["token_endpoint_auth_method"], "self_signed_tls_client_auth");
        assert_eq!(listed["certificates"], json!([own.thumbprint()]));
        let auth = Service::start("auth-service", folder.path(), &env).await;
        Self { folder, env, auth, known, own }
    }

    fn ca(&self) -> Vec<u8> {
        fs::read(self.folder.path().join("ca.crt")).unwrap()
    }

    fn http(&self, shown: Option<&Certificate>) -> reqwest::Client {
        let client =
            reqwest::Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&self.ca()).unwrap()]);
        with_identity(client, shown).build().unwrap()
    }

    async fn token_over_http(&self, id: &str, shown: Option<&Certificate>) -> Result<String, String> {
        issued(self.http(shown).post(format!("https://{}/oauth2/token", self.auth.http)), id).await
    }

    async fn token_over_grpc(&self, id: &str, shown: Option<&Certificate>) -> Result<String, String> {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(tonic::transport::Certificate::from_pem(self.ca()))
            .domain_name("127.0.0.1");
        if let Some(shown) = shown {
            tls = tls.identity(tonic::transport::Identity::from_pem(&shown.pem, &shown.key_pem));
        }
        let url = format!("https://{}", self.auth.grpc);
        let channel = Channel::from_shared(url).unwrap().tls_config(tls).unwrap().connect().await.unwrap();
        let mut call = Request::new(IssueClientTokenRequest::default());
        call.metadata_mut().insert("client-id", id.parse().unwrap());
        let answer = TokenServiceClient::new(channel).issue_client_token(call).await;
        answer.map(|answer| answer.into_inner().access_token).map_err(|status| {
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            status.get_details_error_info().unwrap().reason
        })
    }
}

fn with_identity(client: reqwest::ClientBuilder, shown: Option<&Certificate>) -> reqwest::ClientBuilder {
    let identity = |shown: &Certificate| {
        Identity::from_pem(format!("{}{}", shown.key_pem, shown.pem).as_bytes()).unwrap()
    };
    if let Some(shown) = shown { client.identity(identity(shown)) } else { client }
}

/// A client token, or the error code.
async fn issued(request: RequestBuilder, id: &str) -> Result<String, String> {
    let form = [("grant_type", "client_credentials"), ("client_id", id)];
    let answer: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().map(str::to_owned);
    token.ok_or_else(|| answer["error"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned())
}

fn between(from: (i32, u8, u8), to: (i32, u8, u8)) -> CertificateParams {
    let mut params = of_client("billing", vec![uri(SPIFFE_ID)]);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params
}

#[tokio::test]
async fn a_client_proves_itself_by_the_certificate_of_its_handshake_and_by_no_other() {
    let range = Range::start().await;
    let good = range.known.issue_for(uri(SPIFFE_ID));
    let mut for_servers = of_client("billing", vec![uri(SPIFFE_ID)]);
    for_servers.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let wrong = [
        ("named", "none", None),
        ("named", "for another name", Some(range.known.issue_for(uri("spiffe://example.org/other")))),
        ("named", "of another authority", Some(Authority::new().issue_for(uri(SPIFFE_ID)))),
        ("named", "self-signed", Some(Certificate::signed_by_itself(&of_client("x", vec![uri(SPIFFE_ID)])))),
        ("named", "expired", Some(range.known.issue(&between((2020, 1, 1), (2021, 1, 1))))),
        ("named", "not valid yet", Some(range.known.issue(&between((2100, 1, 1), (2101, 1, 1))))),
        ("named", "for servers", Some(range.known.issue(&for_servers))),
        ("listed", "another of the same name", Some(Certificate::self_signed("listed"))),
        ("listed", "of a known authority", Some(range.known.issue_for(dns("listed.test")))),
        ("nobody", "of nobody", Some(Certificate::self_signed("nobody"))),
    ];
    let refused = Err("invalid_client".to_owned());
    for (id, what, shown) in &wrong {
        assert_eq!(range.token_over_http(id, shown.as_ref()).await, refused, "{what}");
        assert_eq!(range.token_over_grpc(id, shown.as_ref()).await, refused, "{what}, over gRPC");
    }
    assert_eq!(range.token_over_http("named", Some(&range.own)).await, refused, "of another client");
    for (id, certificate) in [("named", &good), ("listed", &range.own)] {
        for token in [
            range.token_over_http(id, Some(certificate)).await.unwrap(),
            range.token_over_grpc(id, Some(certificate)).await.unwrap(),
        ] {
            let claims = unverified_claims(&token);
            assert_eq!(claims["sub"], format!("client:{id}"));
            assert_eq!(claims["cnf"], json!({"x5t#S256": certificate.thumbprint()}));
        }
    }
    // The header of anyone but a proxy that is listed counts for nothing.
    let url = format!("https://{}/oauth2/token", range.auth.http);
    let request = range.http(None).post(&url).header("client-cert", good.header());
    assert_eq!(issued(request, "named").await, refused, "in a header");
    let log = range.auth.log();
    for cause in ["the certificate is for another name", "tls.client_ca_file has issued", "not one of those"]
    {
        assert!(log.contains(cause), "the operator sees why: {cause}");
    }
    let metadata = format!("https://{}/.well-known/oauth-authorization-server", range.auth.http);
    let metadata: Value = range.http(None).get(metadata).send().await.unwrap().json().await.unwrap();
    assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], true);
    let methods = metadata["token_endpoint_auth_methods_supported"].to_string();
    assert!(methods.contains("\"tls_client_auth\"") && methods.contains("\"self_signed_tls_client_auth\""));
    let shown = cli(range.folder.path(), &range.env, &["client", "show", "listed"], "");
    assert_eq!((&shown["token_binding"], &shown["public"]), (&json!("certificate"), &json!(false)));
}

/// Everything behind proxies of this machine, which the test is.
struct Behind {
    system: System,
    own: Certificate,
    token: String,
}

impl Behind {
    async fn start(proxies: &str) -> Self {
        let environment = Env::from(
            ["AUTH__TLS__CLIENT_CERT_PROXIES", "RESOURCE__CLIENT_CERT_PROXIES"]
                .map(|name| (name.to_owned(), proxies.to_owned())),
        );
        let system = System::within(&environment, Database::Sqlite, &[]).await;
        let own = Certificate::self_signed("billing");
        let file = system.folder.path().join("billing.pem");
        fs::write(&file, &own.pem).unwrap();
        let _ = create(
            system.folder.path(),
            &system.auth_env,
            "billing",
            &["--certificate", file.to_str().unwrap()],
        );
        let request =
            || system.http.post(system.auth_url("/oauth2/token")).header("client-cert", own.header());
        let token = if proxies == "127.0.0.1" {
            issued(request(), "billing").await.unwrap()
        } else {
            assert_eq!(
                issued(request(), "billing").await,
                Err("invalid_client".to_owned()),
                "a stranger's word"
            );
            String::new()
        };
        Self { system, own, token }
    }

    async fn notes_over_http(&self, headers: &[&str]) -> u16 {
        let request = self.system.http.get(self.system.resource_url("/notes?page_size=1"));
        let request = headers.iter().fold(request, |request, value| request.header("client-cert", *value));
        request.bearer_auth(&self.token).send().await.unwrap().status().as_u16()
    }

    async fn notes_over_grpc(&self, header: Option<&str>) -> Code {
        let mut call = Request::new(ListNotesRequest::default());
        call.metadata_mut().insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        if let Some(header) = header {
            call.metadata_mut().insert("client-cert", header.parse().unwrap());
        }
        let url = format!("http://{}", self.system.resource.grpc);
        let mut notes = NotesServiceClient::connect(url).await.unwrap();
        notes.list_notes(call).await.map_or_else(|status| status.code(), |_| Code::Ok)
    }

    async fn verify(&self, gateway: &Gateway, header: Option<&str>) -> u16 {
        let url = format!("http://{}/verify", gateway.service.http);
        let request =
            self.system.http.get(url).header("x-original-method", "GET").header("x-original-uri", "/notes");
        let request = if let Some(header) = header { request.header("client-cert", header) } else { request };
        request.bearer_auth(&self.token).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_the_certificate_that_a_listed_proxy_hands_on() {
    let behind = Behind::start("127.0.0.1").await;
    let (own, other) = (behind.own.header(), Certificate::self_signed("billing").header());
    let gateway = Gateway::start(
        &behind.system,
        &fs::read_to_string(root().join("deploy/nginx/gateway.toml")).unwrap(),
    )
    .await;
    assert_eq!(behind.notes_over_http(&[&own]).await, 200);
    assert_eq!(behind.notes_over_grpc(Some(&own)).await, Code::Ok);
    assert_eq!(behind.verify(&gateway, Some(&own)).await, 200);
    for wrong in [None, Some(other.as_str())] {
        assert_eq!(behind.notes_over_http(wrong.as_slice()).await, 401, "{wrong:?}");
        assert_eq!(behind.notes_over_grpc(wrong).await, Code::Unauthenticated, "{wrong:?}");
        assert_eq!(behind.verify(&gateway, wrong).await, 401, "{wrong:?}");
    }
    for unreadable in ["x", "::", own.trim_end_matches(':')] {
        assert_eq!(behind.notes_over_http(&[unreadable]).await, 400, "{unreadable}");
        assert_eq!(behind.notes_over_grpc(Some(unreadable)).await, Code::InvalidArgument, "{unreadable}");
        assert_eq!(behind.verify(&gateway, Some(unreadable)).await, 400, "{unreadable}");
        let request = behind.system.http.post(behind.system.auth_url("/oauth2/token"));
        let refused = issued(request.header("client-cert", unreadable), "billing").await;
        assert_eq!(refused, Err("invalid_request".to_owned()), "{unreadable}");
    }
    assert_eq!(behind.notes_over_http(&[&own, &own]).await, 400, "two");
    let _ = behind.system.cli(&["client", "disable", "billing"]);
    eventually("the service hears of it", || async {
        (behind.notes_over_http(&[&own]).await == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_header_of_anyone_else_counts_for_nothing() {
    let _ = Behind::start("192.0.2.1").await;
}

/// HAProxy as `deploy/haproxy` has it, its addresses and files replaced.
struct HaProxy {
    _running: Owned,
    folder: TempDir,
    url: String,
}

impl HaProxy {
    async fn before(authority: std::net::SocketAddr, clients: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        fs::write(path("server.pem"), [read("server.crt"), read("server.key")].concat()).unwrap();
        fs::write(path("clients-ca.pem"), &clients.pem).unwrap();
        let address = free_address();
        let settings = fs::read_to_string(root().join("deploy/haproxy/haproxy.cfg")).unwrap();
        let settings = settings
            .replace("127.0.0.1:8443", &address.to_string())
            .replace("127.0.0.1:8080", &authority.to_string())
            .replace("/etc/haproxy", &folder.path().display().to_string());
        fs::write(path("haproxy.cfg"), settings).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-f").arg(path("haproxy.cfg")).stdout(Stdio::null());
        let running = Owned(command.spawn().expect("no haproxy: apt-get install haproxy"));
        let proxy = Self { _running: running, url: format!("https://{address}"), folder };
        let http = proxy.http(None);
        eventually("it answers", || async {
            http.get(format!("{}/healthz", proxy.url)).send().await.ok().map(drop)
        })
        .await;
        proxy
    }

    fn http(&self, shown: Option<&Certificate>) -> reqwest::Client {
        let ca = fs::read(self.folder.path().join("ca.crt")).unwrap();
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        with_identity(reqwest::Client::builder().tls_certs_only([ca]), shown).build().unwrap()
    }
}

#[tokio::test]
async fn a_client_proves_itself_through_haproxy() {
    let folder = tempfile::tempdir().unwrap();
    let (known, own) = (Authority::new(), Certificate::self_signed("billing"));
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("clients.pem"), &known.pem).unwrap();
    fs::write(path("billing.pem"), &own.pem).unwrap();
    let clients = path("clients.pem");
    let settings =
        [("AUTH__TLS__CLIENT_CA_FILE", clients.as_str()), ("AUTH__TLS__CLIENT_CERT_PROXIES", "127.0.0.1")];
    let env = auth_env(Database::Sqlite, folder.path(), &settings);
    let _ = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
    let _ = create(folder.path(), &env, "named", &["--tls-san-dns", "billing.example.com"]);
    let _ = create(folder.path(), &env, "listed", &["--certificate", &path("billing.pem")]);
    let auth = Service::start("auth-service", folder.path(), &env).await;
    let proxy = HaProxy::before(auth.http, &known).await;
    let url = format!("{}/oauth2/token", proxy.url);
    let named = known.issue_for(dns("billing.example.com"));
    for (id, certificate) in [("named", &named), ("listed", &own)] {
        let token = issued(proxy.http(Some(certificate)).post(&url), id).await.unwrap();
        assert_eq!(unverified_claims(&token)["cnf"]["x5t#S256"], certificate.thumbprint());
        // What a client sends under the name of the header is taken away.
        let forged = proxy.http(None).post(&url).header("client-cert", certificate.header());
        assert_eq!(issued(forged, id).await, Err("invalid_client".to_owned()), "{id}");
        let stranger = Certificate::self_signed("x");
        let forged = proxy.http(Some(&stranger)).post(&url).header("client-cert", certificate.header());
        assert_eq!(issued(forged, id).await, Err("invalid_client".to_owned()), "{id}");
    }
    // One that clients of rustls do not even show.
    let critical = of_client("billing", vec![dns("billing.example.com")]);
    let critical = known.issue(&Certificate::with_unknown_critical_extension(critical));
    let direct = reqwest::Client::new().post(format!("http://{}/oauth2/token", auth.http));
    let refused = issued(direct.header("client-cert", critical.header()), "named").await;
    assert_eq!(refused, Err("invalid_client".to_owned()), "a critical extension that nobody knows");
    let other = Authority::new().issue_for(dns("billing.example.com"));
    let refused = issued(proxy.http(Some(&other)).post(&url), "named").await;
    assert_eq!(refused, Err("invalid_client".to_owned()), "of another authority");
}
