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
    // The lock file names crates that only other platforms or unused features need; the tree does not.
    let arguments =
        ["tree", "--workspace", "--prefix", "none", "--edges", "normal,build", "--locked", "--offline"];
    let tree =
        Command::new("cargo").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let packages = tree.lines().filter_map(|line| line.split_once(" v"));
    assert!(packages.clone().count() > 100, "the tree was read");
    for (name, rest) in packages {
        let version = rest.split(' ').next().unwrap_or("");
        if let Some((_, why)) = BANNED.iter().find(|(banned, _)| *banned == name) {
            panic!("{name} {version} is banned: {why}");
        }
        if let Some((_, least, why)) = LEAST.iter().find(|(known, _, _)| *known == name) {
            assert!(numbers(version) >= numbers(least), "{name} {version}: at least {least}: {why}");
        }
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}
