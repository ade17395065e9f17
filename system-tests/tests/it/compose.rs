//! The compose file and what it mounts, as far as it can be evaluated without an engine: each is read by the tool that
//! is meant to read it. `scripts/test-compose` stands it up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// Runs a tool in the workspace and returns standard output and standard error.
fn run(program: &str, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program).args(arguments).current_dir(workspace()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: scripts/test installs it"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn docker_compose_accepts_the_file_without_any_setting() {
    let (stdout, stderr) = run("docker-compose", &["--profile", "observe", "--profile", "login", "config"]);
    assert!(!stderr.contains("variable is not set"), "nothing to type in: {stderr}");
    let services =
        "auth-1 auth-2 resource-1 resource-2 gateway-1 gateway-2 nginx postgres web prometheus grafana";
    for service in services.split(' ').chain(["setup", "web-client"]) {
        assert!(stdout.contains(&format!("\n  {service}:\n")), "{service} is missing:\n{stdout}");
    }
    let each = services.split(' ').count();
    assert_eq!(stdout.matches("healthcheck:").count(), each, "each that stays has a health check");
    assert_eq!(stdout.matches("stop_grace_period:").count(), each, "and time to end");
    assert_eq!(stdout.matches("user: root").count(), 1, "setup alone");
    let ports = ["8090", "8443", "9443", "9090", "3000"];
    for port in ports {
        let published = format!("127.0.0.1:{port}:{port}");
        assert!(stdout.contains(&published), "{published}:\n{stdout}");
    }
    let ports_of = |line: &&str| {
        line.trim_start().starts_with("- ") && ports.iter().any(|port| line.contains(&format!(":{port}:")))
    };
    assert_eq!(stdout.lines().filter(ports_of).count(), ports.len(), "on loopback alone:\n{stdout}");
}

#[test]
fn the_image_is_built_by_the_commands_that_were_tried_outside() {
    let dockerfile = read("Dockerfile");
    assert!(
        dockerfile
            .contains("cargo build --release --locked -p auth-service -p resource-service -p signet-gateway")
    );
    assert!(
        read("bench/tools/harness.py")
            .contains(r#"PACKAGES = ("auth-service", "resource-service", "signet-gateway", "bench")"#),
        "scripts/bench builds the same packages"
    );
    assert!(!dockerfile.contains("USER root"), "no service runs as root");
}

#[test]
fn nginx_accepts_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate) = (path("server.key"), path("server.crt"));
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"];
    run("openssl", &[&new[..], &["-keyout", &key, "-out", &certificate]].concat());
    let conf = read("deploy/compose/nginx.conf").replace("/tmp/", &path("")).replace("/tls/", &path(""));
    fs::write(path("nginx.conf"), conf).unwrap();
    let (_, stderr) = run("nginx", &["-t", "-e", "stderr", "-c", &path("nginx.conf")]);
    assert!(!stderr.contains("[warn]"), "{stderr}");
}

#[test]
fn nginx_knows_the_replicas_by_the_addresses_that_they_are_given() {
    let compose = read("docker-compose.yml");
    let conf = read("deploy/compose/nginx.conf");
    let mut servers = 0;
    for line in conf.lines().filter_map(|line| line.trim().strip_prefix("server 10.")) {
        let address = line.split(':').next().unwrap();
        assert!(compose.contains(&format!("ipv4_address: 10.{address}\n")), "10.{address}");
        servers += 1;
    }
    assert_eq!(servers, 8, "two of each upstream");
    let nginx = compose.split("\n  nginx:\n").nth(1).unwrap();
    let own = nginx.split("ipv4_address: ").nth(1).unwrap().lines().next().unwrap();
    assert!(compose.contains(&format!("AUTH__TRUSTED_PROXIES: {own}\n")), "nginx alone is believed");
}

#[test]
fn prometheus_accepts_its_configuration_and_the_questions_of_the_dashboard() {
    run("promtool", &["check", "config", "deploy/prometheus/prometheus.yml"]);
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboards/signet.json")).unwrap();
    let questions = dashboard["panels"].as_array().unwrap().iter();
    let questions = questions.flat_map(|panel| panel["targets"].as_array().unwrap());
    // promtool reads questions in the form of rules, and JSON as YAML.
    let rules: Vec<Value> = questions
        .enumerate()
        .map(|(place, target)| json!({"record": format!("question:{place}"), "expr": target["expr"]}))
        .collect();
    assert!(rules.len() > 10, "it asks something");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    run("promtool", &["check", "rules", file.path().to_str().unwrap()]);
}

#[test]
fn the_scripts_that_stand_it_up_can_be_read_by_their_shells() {
    run("bash", &["-n", "scripts/test-compose"]);
    for script in ["trees.sh", "engine.sh", "checks.sh", "cluster.sh", "observe.sh", "pg-entrypoint"] {
        run("bash", &["-n", &format!("scripts/compose/{script}")]);
    }
    for script in ["setup", "register-web"] {
        run("sh", &["-n", &format!("deploy/compose/{script}")]);
    }
}
