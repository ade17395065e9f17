//! What operators change from the command line, and how they undo it, at a running authority and its verifiers.

use std::fs;

use serde_json::{Value, json};
use system_tests::processes::run;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, Refused, System, eventually, on_both_databases};

on_both_databases! {
    a_disabled_user_is_enabled_again
    a_disabled_client_is_enabled_again_and_warned_about
    a_user_is_changed_listed_and_deleted
    sessions_are_listed_shown_and_ended
    an_audience_is_changed_and_deleted
    the_audit_log_is_filtered_and_followed
}

fn lines(system: &System, arguments: &[&str]) -> Vec<Value> {
    system.cli_list(arguments).as_array().unwrap().clone()
}

async fn logs_in(system: &System) -> Option<system_tests::Pair> {
    Protocol::Http.obtain(system, USER, PASSWORD).await.ok()
}

async fn a_disabled_user_is_enabled_again(database: Database) {
    let system = System::start(database).await;
    let before = logs_in(&system).await.unwrap();
    assert!(system.notes_accept(&before.access).await);
    assert_eq!(system.cli(&["user", "disable", USER])["sessions_ended"], 1);
    system.notes_come_to_refuse(&before.access).await;
    assert!(logs_in(&system).await.is_none());
    assert_eq!(
        system.cli(&["user", "show", USER])["disabled_at"].as_str().map(str::len),
        Some(20),
        "RFC 3339"
    );
    let enabled = system.cli(&["user", "enable", USER]);
    assert_eq!((&enabled["changed"], &enabled["disabled"]), (&json!(true), &json!(false)));
    assert_eq!(system.cli(&["user", "enable", USER])["changed"], false);
    // Until the time that the command names, at most five seconds.
    let pair = eventually("tokens of the enabled user are accepted", || async {
        let pair = logs_in(&system).await?;
        system.notes_accept(&pair.access).await.then_some(pair)
    })
    .await;
    assert!(!system.notes_accept(&before.access).await, "what was revoked stays revoked");
    assert_eq!(Protocol::Http.refresh(&system, &before.refresh).await, Err(Refused::Inactive));
    assert!(Protocol::Http.refresh(&system, &pair.refresh).await.is_ok());
    assert!(system.cli_fails(&["user", "enable", "nobody"]).contains("nobody"));
}

async fn a_disabled_client_is_enabled_again_and_warned_about(database: Database) {
    let system = System::start(database).await;
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let token = || Protocol::Http.client_token(&system, credentials, ("", ""));
    let before = token().await.unwrap();
    let _ = system.cli(&["client", "disable", GATEWAY]);
    system.notes_come_to_refuse(&before).await;
    // The authority publishes the revocation first, and then loads its clients.
    eventually("the client is refused", || async {
        (token().await == Err(Refused::Client("invalid_client".to_owned()))).then_some(())
    })
    .await;
    assert_eq!(system.cli(&["client", "show", GATEWAY])["disabled"], true);
    let output = run(
        "auth-service",
        &["client", "secret", GATEWAY, "--overlap", "60"],
        system.folder.path(),
        &system.auth_env,
        "",
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("client enable gateway"),
        "the secret cannot be used yet"
    );
    let enabled = system.cli(&["client", "enable", GATEWAY]);
    assert!(enabled["changed"] == true && enabled["tokens_accepted_from"].is_string(), "{enabled}");
    eventually("the enabled client gets tokens", || async { token().await.ok() }).await;
    assert!(!system.notes_accept(&before).await);
    let changed = system.cli(&["client", "update", GATEWAY, "--scope", "notes:read"]);
    assert_eq!((&changed["scope"], &changed["audiences"]), (&json!("notes:read"), &json!(["notes"])));
    assert!(system.cli_fails(&["client", "update", GATEWAY]).contains("--scope"), "nothing to change");
    assert!(system.cli_fails(&["client", "delete", GATEWAY]).contains("--yes"), "nobody was asked");
    assert_eq!(system.cli(&["client", "delete", GATEWAY, "--yes"])["deleted"], true);
    eventually("the client is gone", || async {
        (token().await == Err(Refused::Client("invalid_client".to_owned()))).then_some(())
    })
    .await;
    assert!(system.cli_fails(&["client", "show", GATEWAY]).contains(GATEWAY));
}

async fn a_user_is_changed_listed_and_deleted(database: Database) {
    let system = System::start(database).await;
    for name in ["bob", "carol", "bobby"] {
        let _ = system.cli(&["user", "create", name]);
    }
    let names = |arguments: &[&str]| {
        let arguments = [&["user", "list"], arguments].concat();
        let found = lines(&system, &arguments);
        found.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--filter", "BOB"]), ["bob", "bobby"]);
    assert_eq!(names(&["--filter", "bob", "--limit", "1"]), ["bob"]);
    assert_eq!(names(&["--filter", "bob", "--after", "bob"]), ["bobby"]);
    let _ = system.cli(&["user", "disable", "carol"]);
    assert_eq!(names(&["--disabled"]), ["carol"]);
    assert!(!names(&["--enabled"]).contains(&"carol".to_owned()));
    let output = run("auth-service", &["user", "list"], system.folder.path(), &system.auth_env, "");
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.starts_with("USERNAME") && table.lines().count() == names(&[]).len() + 1, "{table}");

    let _ = system.cli(&["user", "update", "bob", "--username", "robert", "--email", "Bob@example.com"]);
    assert_eq!(
        system.cli(&["user", "set-roles", "robert", "--role", "staff", "--role", "auditor"])["roles"],
        json!(["staff", "auditor"])
    );
    let shown = system.cli(&["user", "show", "robert"]);
    assert_eq!((&shown["email"], &shown["email_verified"]), (&json!("Bob@example.com"), &json!(true)));
    assert_eq!(shown["roles"], json!(["staff", "auditor"]));
    let _ = system.cli(&["user", "update", "robert", "--no-email"]);
    assert_eq!(system.cli(&["user", "show", "robert"])["email"], Value::Null);
    assert_eq!(system.cli(&["user", "unlock", "robert"])["counts_deleted"], 0);

    let pair = logs_in(&system).await.unwrap();
    let id = system.cli(&["user", "show", USER])["id"].as_str().unwrap().to_owned();
    assert!(system.cli_fails(&["user", "delete", USER]).contains("--yes"));
    assert_eq!(system.cli(&["user", "delete", USER, "--yes"])["sessions_ended"], 1);
    system.notes_come_to_refuse(&pair.access).await;
    assert!(logs_in(&system).await.is_none());
    assert!(Protocol::Http.refresh(&system, &pair.refresh).await.is_err());
    assert!(system.cli_fails(&["user", "show", USER]).contains(USER));
    let log = system.cli_list(&["audit", "list"]).to_string();
    assert!(log.contains(&id) && log.contains("user.deleted") && !log.contains("robert"), "{log}");
    let _ = system.cli(&["audit", "verify"]);
    if let Database::Sqlite = database {
        // The last connection writes the log of the newest commits into the file.
        let System { auth, folder, .. } = system;
        assert_eq!(auth.stop().await.code(), Some(0));
        let file = fs::read(folder.path().join("signet.db")).unwrap();
        let row = format!("{USER}$argon2id");
        assert!(
            !file.windows(row.len()).any(|bytes| bytes == row.as_bytes()),
            "the deleted row is overwritten"
        );
    }
}

async fn sessions_are_listed_shown_and_ended(database: Database) {
    let system = System::start(database).await;
    let one = logs_in(&system).await.unwrap();
    let two = logs_in(&system).await.unwrap();
    let listed = lines(&system, &["session", "list", "--user", USER]);
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().all(|session| session["username"] == USER && session["state"] == "live"));
    assert_eq!(lines(&system, &["session", "list", "--limit", "1"]).len(), 1);
    assert!(lines(&system, &["session", "list", "--client", "nobody"]).is_empty());
    let id = system_tests::protocol::unverified_claims(&one.access)["sid"].as_str().unwrap().to_owned();
    assert_eq!(system.cli(&["session", "show", &id])["id"], id.as_str());
    assert_eq!(system.cli(&["session", "end", &id])["sessions_ended"], 1);
    assert_eq!(system.cli(&["session", "end", &id])["sessions_ended"], 0, "it has ended before");
    let entries = lines(&system, &["audit", "list", "--user", USER, "--action", "session.ended"]);
    assert!(entries.len() == 1 && entries[0]["session_id"] == id.as_str(), "{entries:?}");
    system.notes_come_to_refuse(&one.access).await;
    assert!(system.notes_accept(&two.access).await);
    assert_eq!(system.cli(&["session", "show", &id])["state"], "ended");
    assert_eq!(lines(&system, &["session", "list", "--user", USER, "--all"]).len(), 2);
    assert!(system.cli_fails(&["session", "end", "--user", USER]).contains("--yes"));
    assert_eq!(system.cli(&["session", "end", "--user", USER, "--yes"])["sessions_ended"], 1);
    system.notes_come_to_refuse(&two.access).await;
    assert!(system.cli_fails(&["session", "show", "none"]).contains("none"));
}

async fn an_audience_is_changed_and_deleted(database: Database) {
    let system = System::start(database).await;
    let _ = system.cli(&["audience", "create", "mail"]);
    let changed = system.cli(&["audience", "update", "mail", "--typ", "JWT", "--algorithm", "ES256"]);
    assert_eq!((&changed["typ"], &changed["algorithm"]), (&json!("JWT"), &json!("ES256")));
    assert_eq!(system.cli(&["audience", "show", "mail"]), changed);
    let created = system.cli(&["client", "create", "sender", "--audience", "mail"]);
    let credentials = ("sender", created["client_secret"].as_str().unwrap());
    let token = eventually("the first key of the algorithm is there", || async {
        Protocol::Http.client_token(&system, credentials, ("", "")).await.ok()
    })
    .await;
    let header = system_tests::protocol::unverified_header(&token);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("JWT"), &json!("ES256")));
    assert!(system.cli_fails(&["audience", "delete", "mail", "--yes"]).contains("sender"), "who uses it");
    let _ = system.cli(&["client", "delete", "sender", "--yes"]);
    assert_eq!(system.cli(&["audience", "delete", "mail", "--yes"])["deleted"], true);
    assert!(system.cli_fails(&["audience", "show", "mail"]).contains("mail"));
}

async fn the_audit_log_is_filtered_and_followed(database: Database) {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    use system_tests::processes::{binary, clean};
    let system = System::start(database).await;
    let _ = logs_in(&system).await.unwrap();
    let of_user = lines(&system, &["audit", "list", "--user", USER, "--action", "login"]);
    assert!(
        of_user.len() == 1 && of_user[0]["at"].as_str().is_some_and(|at| at.ends_with('Z')),
        "{of_user:?}"
    );
    let at = of_user[0]["at"].as_str().unwrap();
    assert!(!lines(&system, &["audit", "list", "--since", at, "--limit", "1"]).is_empty());
    assert!(lines(&system, &["audit", "list", "--until", "2020-01-01T00:00:00Z"]).is_empty());
    assert!(system.cli_fails(&["audit", "list", "--since", "yesterday"]).contains("RFC 3339"));

    let mut command = std::process::Command::new(binary("auth-service"));
    command.args(["audit", "list", "--last", "1", "--follow", "--json"]).stdout(Stdio::piped());
    let mut follower = clean(&mut command, system.folder.path(), &system.auth_env).spawn().unwrap();
    let mut printed = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&printed.next().unwrap().unwrap()).unwrap();
    let last = next()["seq"].as_i64().unwrap();
    let _ = system.cli(&["user", "disable", USER]);
    let new = next();
    assert_eq!((new["seq"].as_i64(), &new["action"]), (Some(last + 1), &json!("user.disabled")));
    follower.kill().unwrap();
    follower.wait().unwrap();
}
