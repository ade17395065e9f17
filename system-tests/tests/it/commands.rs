//! Commands as an operator types them: identifiers that begin with a hyphen, and ends without a signal.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use system_tests::Database;
use system_tests::processes::{Env, run};
use system_tests::system::{PASSWORD, auth_env, cli};

/// Threads that were left running at the end of a process have aborted it before: in up to 1 % of short commands.
#[test]
fn no_command_and_no_refused_start_is_killed_by_a_signal() {
    const REFUSED_STARTS: usize = 2700;
    const COMMANDS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let _ = cli(folder.path(), &env, &["migrate"], "");
    let with = |key: &str, value: &str| {
        let mut env = env.clone();
        env.insert(key.to_owned(), value.to_owned());
        env
    };
    // Refused before the database, at it, and behind it.
    let refused = [
        with("AUTH__DATABASE__URL", "sqlite://nowhere/signet.db"),
        with("AUTH__KEYS__MASTER_KEY_FILE", "/nowhere/master.key"),
        with("AUTH__SIMPLEJWT__CLIENT_ID", "not a client ID"),
    ];
    // Before it there is no master key, and `key list` creates none.
    assert!(run("auth-service", &["audience", "create", "x"], folder.path(), &env, "").status.success());
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (arguments, env): (&[&str], &Env) = match number {
                0..REFUSED_STARTS => (&[], &refused[number % refused.len()]),
                _ if number < REFUSED_STARTS + COMMANDS => (&["key", "list"], &env),
                _ => return,
            };
            let output = run("auth-service", arguments, folder.path(), env, "");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.signal(), None, "{number}: {said}");
            assert_eq!(output.status.success(), number >= REFUSED_STARTS, "{number}: {said}");
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(work);
        }
    });
}

#[test]
fn an_identifier_that_begins_with_a_hyphen_is_an_argument_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let says = |arguments: &[&str]| {
        let output = run("auth-service", arguments, folder.path(), &env, PASSWORD);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    // Key IDs are base64url: these are of the length and the letters that a key ID has.
    for begins in ["-WnrX", "-h0aB", "-Vx_-", "--aB4", "---_-", "-1234"] {
        let kid = format!("{begins}{}", "q7_-Zk4".repeat(6));
        let kid = &kid[..43];
        for arguments in [&["key", "revoke", kid][..], &["key", "revoke", kid, "--json"]] {
            let (code, text) = says(arguments);
            assert_eq!(code, Some(3), "{arguments:?}: {text}");
            assert!(text.contains(kid), "{arguments:?}: {text}");
        }
    }
    for id in ["-billing", "--orders", "-_.-"] {
        let made = cli(folder.path(), &env, &["client", "create", id, "--scope", "a"], "");
        assert_eq!(made["client_id"], id);
        let _ = cli(folder.path(), &env, &["client", "secret", id, "--overlap", "5"], "");
        assert_eq!(cli(folder.path(), &env, &["client", "disable", id], "")["disabled"], true);
        let made = cli(folder.path(), &env, &["audience", "create", id], "");
        assert_eq!(made["audience"], id);
        let made: Value = cli(folder.path(), &env, &["user", "create", id, "--password-stdin"], PASSWORD);
        assert_eq!(made["username"], id);
        let _ = cli(folder.path(), &env, &["user", "disable", id], "");
    }
    // What a command knows stays an option, before and behind an argument.
    let made = cli(folder.path(), &env, &["client", "create", "--scope", "a b", "plain"], "");
    assert_eq!(made["scope"], "a b");
    let (code, text) = says(&["key", "revoke", "--help"]);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = says(&["key", "list", "--unknown"]);
    assert_eq!(code, Some(2), "{text}");
}
