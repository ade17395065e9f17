//! The compose file in its first form: accepted by the tool that reads it, and nothing in it to type in.

use std::path::Path;
use std::process::Command;

#[test]
fn docker_compose_accepts_the_file_without_any_setting() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new("docker-compose")
        .args(["-f", "docker-compose.yml", "config"])
        .current_dir(workspace)
        .output()
        .expect("docker-compose: run `apt-get install docker-compose`");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    assert!(!stderr.contains("variable is not set"), "nothing to type in: {stderr}");
    for service in ["postgres:", "auth-service:", "resource-service:", "secrets:"] {
        assert!(stdout.contains(service), "{service} is missing:\n{stdout}");
    }
    assert!(stdout.matches("healthcheck:").count() >= 3, "each has a health check");
}

#[test]
fn the_image_is_built_by_the_commands_that_were_tried_outside() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dockerfile = std::fs::read_to_string(workspace.join("Dockerfile")).unwrap();
    assert!(dockerfile.contains("cargo build --release --locked -p auth-service -p resource-service"));
    let bench = std::fs::read_to_string(workspace.join("scripts/bench")).unwrap();
    assert!(
        bench.contains("cargo build --release --locked -p auth-service -p resource-service"),
        "scripts/bench runs it"
    );
    assert!(!dockerfile.contains("USER root"), "no service runs as root");
}
