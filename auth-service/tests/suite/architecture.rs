//! Dependency rules: the words that only some folders may use.

use std::fs;
use std::path::{Path, PathBuf};

/// A word that only some folders may use. Paths are prefixes, relative to the workspace.
struct Rule {
    word: &'static str,
    within: &'static [&'static str],
    allowed: &'static [&'static str],
    why: &'static str,
}

/// What is shipped.
pub(crate) const LIBRARIES: [&str; 6] = [
    "auth-service/src",
    "shared-claims/src",
    "resource-service/src",
    "gateway/src",
    "verifier-kit/src",
    "service-kit/src",
];

/// What verifies tokens, and must not be able to sign any.
const VERIFIERS: &[&str] = &["shared-claims/src", "resource-service/src", "gateway/src", "verifier-kit/src"];

/// What sees tokens at all.
const ISSUER_AND_VERIFIERS: &[&str] =
    &["auth-service/src", "shared-claims/src", "resource-service/src", "gateway/src", "verifier-kit/src"];

const RULES: &[Rule] = &[
    Rule {
        word: "diesel",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/storage/"],
        why: "SQL stays in storage/",
    },
    Rule {
        word: "signet_proto",
        within: &["shared-claims/src"],
        allowed: &["shared-claims/src/authority/feed.rs"],
        why: "what verifies knows nothing of how the feeds are sent",
    },
    Rule {
        word: "envoy_types",
        within: &["resource-service/src", "gateway/src", "verifier-kit/src"],
        allowed: &["gateway/src/envoy.rs", "gateway/src/startup.rs"],
        why: "Envoy's messages stop at its edge",
    },
    Rule {
        word: "tokio",
        within: &["shared-claims/src"],
        // Beside what follows the authority: where a token is opened on another thread, and the one caller who cannot wait.
        allowed: &[
            "shared-claims/src/authority/",
            "shared-claims/src/decrypting.rs",
            "shared-claims/src/tonic.rs",
        ],
        why: "verification does no input or output",
    },
    Rule {
        word: "openssl_sys",
        within: ISSUER_AND_VERIFIERS,
        allowed: &["auth-service/src/storage/connection.rs"],
        why: "OpenSSL is there for libpq's TLS alone; aws-lc-rs is the crypto library",
    },
    Rule {
        word: "actix_web",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/http/"],
        why: "only http/ knows HTTP",
    },
    Rule {
        word: "StatusCode",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/http/"],
        why: "the core has words, not status codes",
    },
    Rule {
        word: "lettre",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/mail.rs", "auth-service/src/users/address.rs"],
        why: "only mail.rs knows SMTP",
    },
    Rule {
        word: "reqwest",
        within: &["auth-service/src"],
        allowed: &[
            "auth-service/src/webhook.rs",
            "auth-service/src/backchannel.rs",
            // Everything that is fetched.
            "auth-service/src/outbound/",
            "auth-service/src/settings/",
        ],
        why: "outbound/ fetches; beside it the authority calls the claims webhook, and clients that it tells of logouts",
    },
    Rule {
        word: "totp_rs",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/authority/sign_in/second_factor.rs"],
        why: "one place knows one-time passwords",
    },
    Rule {
        word: "utoipa",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/http/"],
        why: "descriptions stand beside what they describe",
    },
    Rule {
        word: "tonic",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/grpc/"],
        why: "only grpc/ knows gRPC",
    },
    Rule {
        word: "signet_proto",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/grpc/"],
        why: "protobuf messages stop at the edge",
    },
    Rule {
        word: "::metrics::",
        within: &["auth-service/src"],
        allowed: &[
            "auth-service/src/metrics.rs",
            "auth-service/src/settings/",
            "auth-service/src/startup/sample.rs",
            "auth-service/src/startup/serve.rs",
            "auth-service/src/cli/serve.rs",
            "auth-service/src/cli/doctor.rs",
        ],
        why: "what is counted has its names in one place",
    },
    Rule {
        word: "Ed25519KeyPair",
        within: ISSUER_AND_VERIFIERS,
        // Beside the issuer for tests of services, which is compiled by the feature `test-util` alone.
        allowed: &["auth-service/src/keys/", "shared-claims/src/test_issuer.rs"],
        why: "a private key is never seen outside keys/",
    },
    Rule {
        word: "EncodingKey",
        within: ISSUER_AND_VERIFIERS,
        allowed: &[],
        why: "jsonwebtoken never signs; keys/ does",
    },
    Rule {
        word: "jsonwebtoken",
        within: ISSUER_AND_VERIFIERS,
        allowed: &["auth-service/src/keys/self_test.rs", "auth-service/src/keys/algorithm.rs"],
        why: "the verifier decides by itself; jsonwebtoken gives the second opinion on our keys",
    },
    Rule {
        word: "hmac",
        within: VERIFIERS,
        allowed: &["shared-claims/src/encryption/vectors.rs"],
        why: "a verifier has no symmetric key",
    },
    Rule { word: "from_secret", within: VERIFIERS, allowed: &[], why: "a verifier has no symmetric key" },
    Rule {
        word: "std::env",
        within: &LIBRARIES,
        allowed: &[],
        why: "the config crate reads the environment, for settings only",
    },
    Rule {
        word: "SystemTime::now",
        within: &LIBRARIES,
        allowed: &["auth-service/src/clock.rs", "shared-claims/src/clock.rs"],
        why: "time is a parameter",
    },
    Rule {
        word: "tokio",
        within: &[
            "auth-service/src/authority",
            "auth-service/src/clients",
            "auth-service/src/import",
            "auth-service/src/keys",
            "auth-service/src/revocations",
            "auth-service/src/sessions",
            "auth-service/src/storage",
            "auth-service/src/tokens",
            "auth-service/src/users",
            "auth-service/src/verifiers",
        ],
        allowed: &[],
        why: "the core is synchronous; edges cross into it once, in blocking.rs",
    },
    Rule {
        word: "refresh_state",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/authority/sync/", "auth-service/src/startup/", "auth-service/src/cli/"],
        why: "a request never uses the connection of the state sync: it waits for the next poll",
    },
    Rule {
        word: "change_counters",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/authority/sync/", "auth-service/src/storage/", "auth-service/src/cli/"],
        why: "a request never uses the connection of the state sync: it waits for the next poll",
    },
    Rule {
        word: "crate::http",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/http/", "auth-service/src/startup/", "auth-service/src/grpc/status.rs"],
        why: "the core does not know its edges; the two error tables share their words",
    },
    Rule {
        word: "crate::grpc",
        within: &["auth-service/src"],
        allowed: &["auth-service/src/grpc/", "auth-service/src/startup/"],
        why: "the core does not know its edges",
    },
    Rule {
        word: "crate::authority",
        within: &["auth-service/src"],
        allowed: &[
            "auth-service/src/authority/",
            "auth-service/src/backchannel.rs",
            "auth-service/src/blocking.rs",
            "auth-service/src/cli/",
            "auth-service/src/grpc/",
            "auth-service/src/http/",
            "auth-service/src/startup/",
        ],
        why: "nouns and storage do not know the use cases",
    },
    Rule {
        word: "SqliteConnection::establish",
        within: &["system-tests", "bench"],
        allowed: &["system-tests/src/database.rs"],
        why: "a service may hold the lock: open_sqlite() waits for it",
    },
    Rule {
        word: "shared/",
        within: &[
            "auth-service",
            "shared-claims",
            "resource-service",
            "gateway",
            "verifier-kit",
            "service-kit",
            "system-tests/src",
            "scripts",
            "proto",
        ],
        allowed: &["auth-service/tests/suite/architecture.rs"],
        why: "the project stands by itself",
    },
];

#[test]
fn every_line_keeps_to_the_dependency_rules() {
    let mut violations = Vec::new();
    for rule in RULES {
        for folder in rule.within {
            for file in sources(&workspace().join(folder)) {
                let name = file.strip_prefix(workspace()).unwrap().to_string_lossy().into_owned();
                if rule.allowed.iter().any(|allowed| name.starts_with(allowed)) {
                    continue;
                }
                let text = fs::read_to_string(&file).unwrap();
                for (number, line) in code_lines(&text) {
                    if says(line, rule.word) {
                        violations.push(format!("{name}:{number}: `{}`: {}", rule.word, rule.why));
                    }
                }
            }
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn a_violation_is_found() {
    let text = "use diesel::prelude::*;\n// diesel in prose\nlet x = 1;\n";
    let seen: Vec<usize> =
        code_lines(text).filter(|(_, line)| says(line, "diesel")).map(|(number, _)| number).collect();
    assert_eq!(seen, [1]);
    assert!(!says("let diesels = 1;", "diesel"), "whole words only");
    assert!(says("tonic::Status", "tonic") && !says("shared_claims_tonic_x", "tonic"));
}

#[test]
fn files_stay_small_enough_to_be_read() {
    for folder in LIBRARIES {
        let files = sources(&workspace().join(folder)).into_iter();
        let mut lines: Vec<(usize, String)> = files
            .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file.display().to_string()))
            .collect();
        lines.sort();
        let (count, largest) = (lines.len(), lines.last().unwrap().clone());
        let (median, p95) = (lines[count / 2].0, lines[count * 95 / 100].0);
        println!("{folder}: {count} files, median {median}, p95 {p95}, largest {largest:?}");
        assert!(largest.0 <= 400, "is it one subject? {largest:?}");
        if folder == "auth-service/src" {
            assert!(median <= 95 && p95 <= 200 && largest.0 <= 320, "{median} {p95} {largest:?}");
        }
    }
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "toml") {
            found.push(path);
        }
    }
    found
}

/// Lines of code with their numbers: no comments, which may name what other folders use.
pub(crate) fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.split(" // ").next().unwrap_or(line)));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a line holds the word, not as part of a longer name.
pub(crate) fn says(line: &str, word: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back().is_some_and(is_name);
        let after = line[start + word.len()..].chars().next().is_some_and(is_name);
        let longer = (before && word.starts_with(is_name)) || (after && word.ends_with(is_name));
        !longer
    })
}
