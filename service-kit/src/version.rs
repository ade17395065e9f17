//! Which build this is.

/// Version of the workspace, such as `0.2.0`.
pub const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The commit, 12 characters: `SIGNET_COMMIT` at build time, else that of the repository; changes that are not committed are
/// not seen. `unknown` without either, and for a debug build without `SIGNET_COMMIT`.
pub const COMMIT: &str = env!("SIGNET_BUILD_COMMIT");

/// For `--version`: `0.2.0 (commit 0123456789ab)`.
pub const TEXT: &str = concat!(env!("CARGO_PKG_VERSION"), " (commit ", env!("SIGNET_BUILD_COMMIT"), ")");

#[cfg(test)]
#[expect(dead_code, reason = "its main is for cargo")]
#[path = "../build.rs"]
mod build_script;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::build_script::{chosen, commit_of};

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"];
        let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output();
        let output = output.expect("git is missing: apt-get install git");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn the_commit_is_that_of_the_own_repository_only() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(commit_of(folder), None, "no repository");
        git(folder, &["init", "--quiet"]);
        git(folder, &["commit", "--quiet", "--allow-empty", "-m", "another repository"]);
        std::fs::write(folder.join("build.rs"), "").unwrap();
        assert_eq!(commit_of(folder), None, "unpacked in the repository of someone else");
        git(folder, &["add", "build.rs"]);
        git(folder, &["commit", "--quiet", "-m", "ours"]);
        let commit = git(folder, &["rev-parse", "HEAD"]);
        assert_eq!(commit_of(folder), Some(commit));
    }

    #[test]
    fn a_given_commit_comes_first() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(chosen(some("0123456789abcdef0123\n"), some("abcdef0")), "0123456789ab");
        for none in ["", " ", "main", "abc\ncargo:x"] {
            assert_eq!(chosen(some(none), some("abcdef0")), "abcdef0", "{none:?}");
        }
        assert_eq!(chosen(None, None), "unknown");
    }
}
