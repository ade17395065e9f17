//! TLS of the authority's own listeners.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::Database;
use system_tests::eventually;
use system_tests::processes::{Env, Service, run};
use system_tests::system::{NOTES, PASSWORD, USER, WATCH, auth_env, cli, resource_env};
use tempfile::TempDir;

use crate::feeds::certificates;

/// An authority with TLS, and a client that trusts its certificate authority.
struct OverTls {
    folder: TempDir,
    env: Env,
    auth: Service,
    http: reqwest::Client,
}

impl OverTls {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let mut env = auth_env(Database::Sqlite, folder.path(), settings);
        for (key, file) in
            [("AUTH__TLS__CERTIFICATE_FILE", "server.crt"), ("AUTH__TLS__KEY_FILE", "server.key")]
        {
            env.insert(key.to_owned(), folder.path().join(file).display().to_string());
        }
        let _ = cli(folder.path(), &env, &["user", "create", USER, "--password-stdin"], PASSWORD);
        let auth = Service::start("auth-service", folder.path(), &env).await;
        let ca = reqwest::Certificate::from_pem(&fs::read(folder.path().join("ca.crt")).unwrap()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
        Self { folder, env, auth, http }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.auth.http)
    }

    async fn log_in(&self) -> Value {
        let request = self.http.post(self.url("/api/token/"));
        let answer = request.json(&json!({"username": USER, "password": PASSWORD})).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_11));
        answer.json().await.unwrap()
    }
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("no openssl: apt-get install openssl");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The serial number of the certificate that a listener presents.
fn serial(folder: &Path, address: SocketAddr) -> String {
    fs::write(folder.join("presented"), openssl(folder, &format!("s_client -connect {address}"))).unwrap();
    openssl(folder, "x509 -in presented -noout -serial")
}

#[tokio::test]
async fn http_and_grpc_are_served_over_tls_and_a_verifier_follows() {
    let system = OverTls::start(&[]).await;
    let folder = system.folder.path();
    let pair = system.log_in().await;
    let plain = reqwest::Client::new().get(format!("http://{}/healthz", system.auth.http)).send().await;
    assert!(plain.is_err(), "{plain:?}");
    let healthy = {
        let mut env = system.env.clone();
        env.insert("AUTH__HTTP__BIND".to_owned(), system.auth.http.to_string());
        run("auth-service", &["healthcheck"], folder, &env, "")
    };
    assert!(healthy.status.success(), "{healthy:?}");

    let notes = cli(folder, &system.env, &["client", "create", NOTES, "--scope", WATCH], "");
    let mut env = resource_env(&system.auth, folder);
    for (key, value) in [
        ("RESOURCE__AUTHORITY__URL", format!("https://{}", system.auth.http)),
        ("RESOURCE__AUTHORITY__GRPC_URL", format!("https://{}", system.auth.grpc)),
        ("RESOURCE__AUTHORITY__CA_FILE", folder.join("ca.crt").display().to_string()),
        ("RESOURCE__AUTHORITY__CLIENT_ID", NOTES.to_owned()),
        ("RESOURCE__AUTHORITY__CLIENT_SECRET", notes["client_secret"].as_str().unwrap().to_owned()),
    ] {
        env.insert(key.to_owned(), value);
    }
    let resource = Service::start("resource-service", folder, &env).await;
    let status = || async {
        let request = reqwest::Client::new().get(format!("http://{}/notes", resource.http));
        request.bearer_auth(pair["access"].as_str().unwrap()).send().await.unwrap().status().as_u16()
    };
    eventually("it has keys", || async { (status().await == 200).then_some(()) }).await;
    let ended =
        system.http.post(system.url("/api/token/blacklist/")).json(&json!({"refresh": pair["refresh"]}));
    assert_eq!(ended.send().await.unwrap().status(), 200);
    eventually("it is told over TLS", || async { (status().await == 401).then_some(()) }).await;
    assert!(!resource.log().contains("polling"), "by the feed");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_half_of_one_is_not() {
    let system = OverTls::start(&[]).await;
    let folder = system.folder.path();
    let first = serial(folder, system.auth.http);
    assert!(first.starts_with("serial="), "{first}");
    assert_eq!(serial(folder, system.auth.grpc), first, "both listeners have it");

    let renewed = tempfile::tempdir().unwrap();
    certificates(renewed.path());
    fs::copy(renewed.path().join("server.crt"), folder.join("server.crt")).unwrap();
    eventually("the half that does not fit is named", || async {
        system.auth.log().contains("not the certificate of tls.key_file").then_some(())
    })
    .await;
    assert_eq!(serial(folder, system.auth.http), first);
    fs::copy(renewed.path().join("server.key"), folder.join("server.key")).unwrap();
    eventually("it is taken up", || async { (serial(folder, system.auth.http) != first).then_some(()) })
        .await;
    assert_eq!(serial(folder, system.auth.grpc), serial(folder, system.auth.http));
    let times = system.auth.log().matches("cannot be loaded again").count();
    assert_eq!(times, 1, "said once, not every five seconds");
}

#[tokio::test]
async fn a_client_certificate_is_verified_if_there_is_one() {
    let other = tempfile::tempdir().unwrap();
    certificates(other.path());
    let own = tempfile::tempdir().unwrap();
    certificates(own.path());
    let ca = own.path().join("ca.crt");
    let system = OverTls::start(&[("AUTH__TLS__CLIENT_CA_FILE", ca.to_str().unwrap())]).await;
    let ask = |identity: Option<&Path>| {
        let ca =
            reqwest::Certificate::from_pem(&fs::read(system.folder.path().join("ca.crt")).unwrap()).unwrap();
        let mut client = reqwest::Client::builder().tls_certs_only([ca]);
        if let Some(folder) = identity {
            let pem =
                [fs::read(folder.join("server.key")).unwrap(), fs::read(folder.join("server.crt")).unwrap()];
            client = client.identity(reqwest::Identity::from_pem(&pem.concat()).unwrap());
        }
        client.build().unwrap().get(system.url("/healthz")).send()
    };
    assert_eq!(ask(None).await.unwrap().status(), 200, "none is asked for");
    assert_eq!(ask(Some(own.path())).await.unwrap().status(), 200);
    assert!(ask(Some(other.path())).await.is_err(), "another authority's");
}

/// Neither a handshake that is not begun, nor one that is not followed by a request, holds anything for long.
#[tokio::test]
async fn slow_handshakes_are_cut() {
    let system = OverTls::start(&[]).await;
    let cut = |mut stream: TcpStream| {
        std::thread::spawn(move || {
            let began = Instant::now();
            stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
            let _ = stream.write_all(b"\x16\x03\x01");
            let ended = stream.read(&mut [0; 64]);
            (
                began.elapsed(),
                matches!(ended, Ok(0)) || ended.is_err_and(|error| error.raw_os_error() == Some(104)),
            )
        })
    };
    let connect = |address| cut(TcpStream::connect(address).unwrap());
    for held in [connect(system.auth.http), connect(system.auth.grpc)] {
        let (took, ended) = held.join().unwrap();
        assert!(ended && took < Duration::from_secs(10), "{took:?} {ended}");
    }
    // A handshake, and then silence: no HTTP/2 preface.
    let began = Instant::now();
    let mut silent = Command::new("openssl")
        .args(["s_client", "-quiet", "-alpn", "h2", "-connect", &system.auth.grpc.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::task::spawn_blocking(move || silent.wait()).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    system.log_in().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_end_the_start_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("open.key"), fs::read(path("server.key")).unwrap()).unwrap();
    fs::set_permissions(path("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::set_permissions(path("empty"), fs::Permissions::from_mode(0o600)).unwrap();
    let cases: [(&str, &str, &str, &str); 7] = [
        ("server.crt", "", "", "belong together"),
        ("nothing.crt", "server.key", "", "tls.certificate_file"),
        ("empty", "server.key", "", "no certificate in PEM"),
        ("server.crt", "empty", "", "no private key in PEM"),
        ("server.crt", "ca.key", "", "not the certificate of tls.key_file"),
        ("server.crt", "open.key", "", "chmod 600"),
        ("server.crt", "server.key", "empty", "tls.client_ca_file"),
    ];
    for (certificate, key, ca, expected) in cases {
        let mut env = auth_env(Database::Sqlite, folder.path(), &[]);
        let settings = [
            ("AUTH__TLS__CERTIFICATE_FILE", certificate),
            ("AUTH__TLS__KEY_FILE", key),
            ("AUTH__TLS__CLIENT_CA_FILE", ca),
        ];
        for (name, file) in settings.iter().filter(|(_, file)| !file.is_empty()) {
            env.insert((*name).to_owned(), path(file));
        }
        let output = run("auth-service", &["serve"], folder.path(), &env, "");
        assert_eq!(output.status.code(), Some(1), "{expected}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{expected}: {said}");
        let doctor = run("auth-service", &["doctor"], folder.path(), &env, "");
        assert!(String::from_utf8(doctor.stdout).unwrap().contains(expected), "doctor: {expected}");
    }
}
