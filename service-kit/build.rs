//! Names the commit that is built, for `--version` and the metric `signet_build_info`.
#![expect(clippy::disallowed_methods, reason = "cargo passes its arguments in the environment")]

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=SIGNET_COMMIT");
    let given = env::var("SIGNET_COMMIT").ok();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // A debug build would be compiled again after each commit.
    let found = if is_release { commit_of(Path::new(".")) } else { None };
    println!("cargo:rustc-env=SIGNET_BUILD_COMMIT={}", chosen(given, found));
}

/// A given commit (`SIGNET_COMMIT`, for builds without a repository) before a found one.
pub(crate) fn chosen(given: Option<String>, found: Option<String>) -> String {
    let short = |commit: String| {
        let commit = commit.trim();
        let is_hash = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| commit.chars().take(12).collect())
    };
    given.and_then(short).or_else(|| found.and_then(short)).unwrap_or_else(|| "unknown".to_owned())
}

/// The commit of a folder that git tracks: not of the repository of someone else that it was unpacked in.
pub(crate) fn commit_of(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    // Written at each checkout, and at each commit: the branch, and the log of both where one is kept.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        let path = folder.join(git(&["rev-parse", "--git-path", name])?);
        // A path that does not exist would start this script in each build.
        if path.exists() {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    git(&["rev-parse", "HEAD"])
}
