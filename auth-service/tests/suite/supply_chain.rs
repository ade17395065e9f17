//! What the build may not hold, checked where no advisory database can be fetched.

use std::process::Command;

/// (crate, versions below this are refused, why)
const LEAST: &[(&str, &str, &str)] = &[
    ("actix-http", "3.12.1", "GHSA-xhj4-vrgc-hr34"),
    ("anyhow", "1.0.104", "RUSTSEC-2026-0190"),
    ("aws-lc-sys", "0.39.0", "RUSTSEC-2026-0044"),
    ("bytes", "1.11.1", "RUSTSEC-2026-0007"),
    ("crossbeam-epoch", "0.9.20", "RUSTSEC-2026-0204"),
    ("diesel", "2.3.10", "RUSTSEC-2026-0111"),
    ("h2", "0.4.16", "RUSTSEC-2026-0258; h2 0.3 has no fix"),
    ("jsonwebtoken", "10.3.0", "CVE-2026-25537"),
    ("rustls", "0.23.45", "RUSTSEC-2026-0285"),
    ("rustls-webpki", "0.103.17", "RUSTSEC-2026-0104"),
    ("time", "0.3.47", "RUSTSEC-2026-0009"),
];

/// (crate, why)
const BANNED: &[(&str, &str)] = &[
    ("ring", "one crypto library: aws-lc-rs"),
    ("rsa", "RUSTSEC-2023-0071: timing of the private key, no fix"),
    ("native-tls", "one TLS library: rustls"),
    ("actix-governor", "GPL-3.0-or-later"),
];

#[test]
fn the_build_holds_no_banned_and_no_outdated_crate() {
    let tree = tree(&["--workspace", "--edges", "normal,build"]);
    assert!(tree.len() > 100, "the tree was read");
    for Package { name, version, .. } in tree {
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("{name} {version} is banned: {why}");
        }
        if let Some((_, least, why)) = LEAST.iter().find(|(known, _, _)| *known == name) {
            assert!(numbers(&version) >= numbers(least), "{name} {version}: at least {least}: {why}");
        }
    }
}

#[test]
fn the_notices_name_every_package_of_the_programs_and_its_licence() {
    let folder = tempfile::tempdir().unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/notices");
    let output = Command::new(script).env("CARGO_TARGET_DIR", folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let notices = std::fs::read_to_string(folder.path().join("THIRD-PARTY-NOTICES.txt")).unwrap();
    let (list, texts) = notices.split_once("\n====").unwrap();
    let programs =
        tree(&["-p", "auth-service", "-p", "resource-service", "-p", "signet-gateway", "--edges", "normal"]);
    for Package { name, version, .. } in programs.iter().filter(|package| !package.is_ours) {
        assert!(list.contains(&format!("\n{name} {version} (")), "{name} {version} is in no list");
        assert!(texts.contains(&format!("{name} {version}")), "{name} {version} has no text");
    }
    for packed in [
        "aws-lc-sys ",
        "libmimalloc-sys ",
        "openssl-src ",
        "rust-std ",
        "pq-src ",
        "utoipa-swagger-ui-vendored ",
    ] {
        assert!(texts.contains(packed), "{packed}");
    }
    for holder in ["Daan Leijen", "PostgreSQL Global Development Group", "The OpenSSL Project", "SmartBear"] {
        assert!(texts.contains(holder), "{holder}");
    }
}

struct Package {
    name: String,
    version: String,
    /// A member of this workspace.
    is_ours: bool,
}

/// The packages that are compiled: the lock file names also those that only other platforms or unused features need.
fn tree(options: &[&str]) -> Vec<Package> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--prefix", "none", "--locked", "--offline"]).args(options);
    let tree = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let packages = text.lines().filter_map(|line| line.split_once(" v"));
    let package = |(name, rest): (&str, &str)| Package {
        name: name.to_owned(),
        version: rest.split(' ').next().unwrap_or("").to_owned(),
        is_ours: rest.contains("(/"),
    };
    packages.map(package).collect()
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}
