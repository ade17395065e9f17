//! The files in `deploy/` that other programs read are what those programs expect.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use system_tests::processes::binary;

use crate::django::python;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// What a program prints; it must succeed.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run `scripts/test`"));
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

/// The tests of the rules, and a rule for each line of the table in the operations guide.
#[test]
fn each_alert_fires_on_what_it_is_for() {
    run("promtool", &["test", "rules", deploy().join("prometheus/alerts-test.yml").to_str().unwrap()]);
    let rules = fs::read_to_string(deploy().join("prometheus/alerts.yml")).unwrap();
    let guide = fs::read_to_string(deploy().join("../docs/operations.md")).unwrap();
    let table = guide.split("| metric | alert when |").nth(1).unwrap();
    let mut metrics = 0;
    for line in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let named = line.split('|').nth(1).unwrap();
        for metric in named.split('`').skip(1).step_by(2).map(|name| name.split('{').next().unwrap()) {
            assert!(metric.is_empty() || rules.contains(metric), "no alert for {metric}");
            metrics += 1;
        }
    }
    assert!(metrics > 10, "the table was read");
}

#[test]
fn the_manifests_are_valid_for_kubernetes() {
    let validate = python().with_file_name("kubernetes-validate");
    let folder = deploy().join("kubernetes");
    let listed = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
    let mut objects = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "kustomization.yaml" {
            continue;
        }
        assert!(listed.contains(&format!("- {name}")), "{name} is not in kustomization.yaml");
        objects += run(validate.to_str().unwrap(), &["--strict", path.to_str().unwrap()])
            .matches(" passed ")
            .count();
    }
    assert_eq!(objects, 6);
    // What they set exists, and the version is the current one.
    let authority = fs::read_to_string(folder.join("authority.yaml")).unwrap();
    let settings = fs::read_to_string(deploy().join("../docs/settings.md")).unwrap();
    for line in authority.lines().map(str::trim).filter(|line| line.starts_with("AUTH__")) {
        let name = line.split(':').next().unwrap();
        assert!(settings.contains(&format!("`{name}`")), "{name} is no setting");
    }
    assert!(authority.contains(concat!("signet-auth-service:", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_unit_is_valid_and_confined() {
    let unit = fs::read_to_string(deploy().join("systemd/auth-service.service")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth-service.service");
    let program = binary("auth-service");
    fs::write(&file, unit.replace("/usr/local/bin/auth-service", program.to_str().unwrap())).unwrap();
    let file = file.to_str().unwrap();
    run("systemd-analyze", &["verify", "--man=no", file]);
    run("systemd-analyze", &["security", "--offline=true", "--threshold=20", "--no-pager", file]);
}
