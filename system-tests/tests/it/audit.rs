//! The audit log: what is in it, and that nothing in it can be changed unseen.

use serde_json::{Value, json};
use system_tests::database::execute;
use system_tests::processes::run;
use system_tests::protocol::unverified_claims;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{
    Database, Protocol, Refused, System, on_both_databases, over_both_protocols_on_both_databases,
};

over_both_protocols_on_both_databases! {
    what_users_clients_and_operators_do_is_written_down
}

on_both_databases! {
    an_entry_that_was_altered_taken_out_or_cut_off_is_missed
    an_end_that_was_cut_off_without_a_trace_is_missed_by_anyone_who_kept_a_head
    a_refused_request_is_found_by_its_id_in_the_audit_log_and_in_one_line_of_the_log
    entries_are_exported_and_pruned
}

/// The entries of an action, without those that were there before.
fn entries(system: &System, action: &str) -> Vec<Value> {
    let log = system.cli_list(&["audit", "list"]);
    let of_action = |entry: &&Value| entry["action"] == action;
    log.as_array().unwrap().iter().filter(of_action).cloned().collect()
}

async fn what_users_clients_and_operators_do_is_written_down(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let pair = protocol.obtain(&system, USER, PASSWORD).await.unwrap();
    assert_eq!(protocol.obtain(&system, USER, "a wrong secret").await, Err(Refused::Credentials));
    assert_eq!(protocol.obtain(&system, "a secret in the wrong field", "x").await, Err(Refused::Credentials));
    let next = protocol.refresh(&system, &pair.refresh).await.unwrap();
    protocol.end(&system, &next.refresh).await.unwrap();
    let rotated = system.cli(&["key", "rotate", "--wait", "0s"]);
    let _ = system.cli(&["user", "disable", USER]);

    let claims = unverified_claims(&pair.access);
    let logins = entries(&system, "login");
    let outcomes: Vec<&str> = logins.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "refused: wrong password", "refused: no user has this name"]);
    let client = if protocol == Protocol::Http { "simplejwt" } else { GATEWAY };
    assert_eq!(logins[0]["user_id"], claims["sub"]);
    assert_eq!(logins[0]["session_id"], claims["sid"]);
    assert!(logins.iter().all(|entry| entry["client_id"] == client), "{logins:?}");
    let program = if protocol == Protocol::Http { "system-tests" } else { "tonic/" };
    for login in &logins {
        assert_eq!(login["client_ip"], "127.0.0.1");
        assert!(login["user_agent"].as_str().unwrap().starts_with(program), "{login}");
        assert_eq!(login["request_id"].as_str().map(str::len), Some(16), "{login}");
    }
    let tried: Vec<&Value> = logins.iter().map(|login| &login["username"]).collect();
    assert_eq!(tried, [&Value::Null, &json!(USER), &json!("a secret in the wrong field")]);
    let ended = entries(&system, "session.ended");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["session_id"], claims["sid"]);
    assert_eq!(
        (ended[0]["actor"].as_str(), ended[0]["detail"].as_str()),
        (Some(&*format!("client:{client}")), Some("revoked"))
    );
    let uid = rustix::process::getuid().as_raw();
    let keys = entries(&system, "key.scheduled");
    assert_eq!(keys.last().unwrap()["key_id"], rotated["kid"]);
    assert_eq!(keys.last().unwrap()["actor"], format!("operator:{uid}"));
    let disabled = entries(&system, "user.disabled");
    assert_eq!(
        (&disabled[0]["user_id"], &disabled[0]["actor"]),
        (&claims["sub"], &format!("operator:{uid}").into())
    );

    let log = system.cli_list(&["audit", "list"]).to_string();
    for secret in [PASSWORD, "wrong secret", &pair.refresh, &pair.access, &next.refresh] {
        assert!(!log.contains(secret), "{secret}");
    }
    // The audit log keeps the name that was tried; the ordinary log is read by more users, and does not.
    assert!(!system.auth.log().contains("wrong field"));
    let newest = system.cli_list(&["audit", "list", "--last", "1"]);
    assert_eq!(newest.as_array().unwrap().len(), 1);
    assert_eq!(newest[0]["action"], "user.disabled");
    let verified = system.cli(&["audit", "verify"]);
    assert_eq!(verified["entries"], newest[0]["seq"]);
}

/// Anyone who can write to the database needs no master key for this: the chain holds up to the new end.
async fn an_end_that_was_cut_off_without_a_trace_is_missed_by_anyone_who_kept_a_head(database: Database) {
    let system = System::start(database).await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    let early = system.cli(&["audit", "head"])["head"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    }
    let head = system.cli(&["audit", "verify"])["head"].as_str().unwrap().to_owned();
    assert_eq!(system.cli(&["audit", "head"])["head"], head.as_str());
    for kept in [&early, &head, &head.to_uppercase()] {
        assert_eq!(system.cli(&["audit", "verify", "--head", kept])["head"], head.as_str());
    }
    let last: i64 = head.split(':').next().unwrap().parse().unwrap();
    let triggers: &[&str] = match database {
        Database::Sqlite => &["DROP TRIGGER audit_is_not_updated", "DROP TRIGGER audit_is_not_deleted"],
        Database::Postgres => &["DROP TRIGGER audit_is_only_appended_to ON audit"],
    };
    for trigger in triggers {
        execute(&url, trigger).unwrap();
    }
    execute(&url, &format!("DELETE FROM audit WHERE seq > {}", last - 2)).unwrap();
    execute(&url, &format!("UPDATE counters SET value = {} WHERE name = 'audit'", last - 2)).unwrap();
    let said = system.cli(&["audit", "verify"]);
    assert_eq!(said["entries"], last - 2, "by itself the log cannot know");
    assert_eq!(system.cli(&["audit", "verify", "--head", &early])["entries"], last - 2, "that is older");
    let complaint = system.cli_fails(&["audit", "verify", "--head", &head]);
    assert!(complaint.contains(&format!("{last}")), "{complaint}");
    // And written on, up to the number that was kept.
    for _ in 0..3 {
        Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    }
    let complaint = system.cli_fails(&["audit", "verify", "--head", &head]);
    assert!(complaint.contains("replaced"), "{complaint}");
    for wrong in ["x", "0:aa", "1", &format!("{last}:zz"), ":"] {
        let complaint = system.cli_fails(&["audit", "verify", "--head", wrong]);
        assert!(complaint.contains("audit head"), "{wrong}: {complaint}");
    }
}

async fn a_refused_request_is_found_by_its_id_in_the_audit_log_and_in_one_line_of_the_log(
    database: Database,
) {
    let settings = [("AUTH__LOG__FORMAT", "json"), ("AUTH__TRUSTED_PROXIES", "127.0.0.1")];
    let system = System::with(database, &settings).await;
    let answer = system
        .http
        .post(system.auth_url("/api/token/"))
        .header("X-Forwarded-For", "192.0.2.7")
        .json(&json!({"username": USER, "password": "wrong"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();

    let login = entries(&system, "login").pop().unwrap();
    assert_eq!((&login["request_id"], &login["client_ip"]), (&json!(id), &json!("192.0.2.7")));
    let lines: Vec<Value> = system
        .auth
        .log()
        .lines()
        .filter(|line| line.contains(&id))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (fields, span) = (&lines[0]["fields"], &lines[0]["span"]);
    assert_eq!((&fields["status"], &fields["client_ip"]), (&json!(401), &json!("192.0.2.7")), "{fields}");
    let user_id = login["user_id"].as_str().unwrap();
    assert_eq!(fields["cause"], format!("user {user_id}: wrong password"), "{fields}");
    assert_eq!(span["path"], "/api/token/", "{span}");

    // Over gRPC the same, without a proxy that could say more.
    assert_eq!(Protocol::Grpc.obtain(&system, USER, "wrong").await, Err(Refused::Credentials));
    let id = entries(&system, "login").pop().unwrap()["request_id"].as_str().unwrap().to_owned();
    let log = system.auth.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(&format!("user {user_id}: wrong password")), "{}", lines[0]);
    assert!(lines[0].contains("\"remote\":\"127.0.0.1\""), "{}", lines[0]);
}

async fn entries_are_exported_and_pruned(database: Database) {
    let system = System::start(database).await;
    assert_eq!(Protocol::Http.obtain(&system, USER, "wrong").await, Err(Refused::Credentials));
    let export = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["audit", "export"].iter().chain(arguments).copied().collect();
        let output = run("auth-service", &arguments, system.folder.path(), &system.auth_env, "");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = system.cli_list(&["audit", "list"]);
    let exported: Vec<Value> = export(&[]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(exported), listed);
    let last = listed.as_array().unwrap().len();
    assert_eq!(export(&["--after", &last.to_string()]), "", "an export goes on after the one before");
    let logins = ["--action", "login", "--client-ip", "127.0.0.1"];
    let ocsf: Value = serde_json::from_str(&export(&[&["--format", "ocsf"], &logins[..]].concat())).unwrap();
    assert_eq!((&ocsf["class_uid"], &ocsf["src_endpoint"]["ip"]), (&json!(3002), &json!("127.0.0.1")));
    let cef = export(&[&["--format", "cef"], &logins[..]].concat());
    assert!(cef.starts_with("CEF:0|Signet|auth-service|") && cef.contains(" src=127.0.0.1 "), "{cef}");

    let head = system.cli(&["audit", "head"])["head"].as_str().unwrap().to_owned();
    let in_future = "2100-01-01T00:00:00Z";
    let refused = run(
        "auth-service",
        &["audit", "prune", "--before", in_future],
        system.folder.path(),
        &system.auth_env,
        "",
    );
    assert_eq!(refused.status.code(), Some(2), "asks first: {refused:?}");
    let pruned = system.cli(&["audit", "prune", "--before", in_future, "--yes"]);
    assert_eq!(pruned["deleted"], last - 1, "the newest entry stays: {pruned}");
    let left: Vec<Value> = system.cli_list(&["audit", "list"]).as_array().unwrap().clone();
    let actions: Vec<&str> = left.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["login", "audit.pruned"]);
    let verified = system.cli(&["audit", "verify", "--head", &head]);
    assert_eq!((&verified["entries"], &verified["pruned"]), (&json!(last + 1), &json!(last - 1)));
    assert_eq!(system.cli(&["audit", "prune", "--before", "2000-01-01T00:00:00Z", "--yes"])["deleted"], 0);
    // The authority goes on to write, and what it writes is verified.
    Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    assert_eq!(system.cli(&["audit", "verify"])["entries"], last + 2);
    // What is not pruned is still only appended to.
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    for statement in ["DELETE FROM audit", "UPDATE audit SET client_ip = '192.0.2.1'"] {
        let refused = execute(&url, statement).unwrap_err();
        assert!(refused.contains("only appended to") || refused.contains("only erased"), "{refused}");
    }
    execute(&url, "UPDATE audit SET client_ip = NULL, user_agent = NULL, username = NULL, salt = NULL")
        .unwrap();
    assert!(complaint(&system).contains("client IP, user agent or username"), "nobody was deleted");
}

/// What `audit verify` says that is wrong.
fn complaint(system: &System) -> String {
    let output = run("auth-service", &["audit", "verify"], system.folder.path(), &system.auth_env, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

async fn an_entry_that_was_altered_taken_out_or_cut_off_is_missed(database: Database) {
    let system = System::start(database).await;
    let url = system.auth_env["AUTH__DATABASE__URL"].clone();
    for _ in 0..3 {
        Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap();
    }
    let verified = system.cli(&["audit", "verify"]);
    let last = verified["entries"].as_i64().unwrap();
    assert!(last >= 6, "account, clients, audience, key, logins: {verified}");

    for statement in ["UPDATE audit SET outcome = 'done'", "DELETE FROM audit"] {
        let refused = execute(&url, statement).unwrap_err();
        assert!(refused.contains("only appended to"), "{statement}: {refused}");
    }
    // Someone who may change the schema can go on; the chain tells.
    let triggers: &[&str] = match database {
        Database::Sqlite => &["DROP TRIGGER audit_is_not_updated", "DROP TRIGGER audit_is_not_deleted"],
        Database::Postgres => &["DROP TRIGGER audit_is_only_appended_to ON audit"],
    };
    triggers.iter().for_each(|drop| execute(&url, drop).unwrap());
    let middle = last - 2;
    execute(&url, &format!("UPDATE audit SET actor = 'user:nobody' WHERE seq = {middle}")).unwrap();
    assert!(complaint(&system).contains(&format!("entry {middle} was altered")));
    execute(&url, &format!("DELETE FROM audit WHERE seq = {middle}")).unwrap();
    assert!(complaint(&system).contains(&format!("entry {middle} is missing")));
    execute(&url, &format!("DELETE FROM audit WHERE seq >= {middle}")).unwrap();
    let cut_off = complaint(&system);
    assert!(
        cut_off.contains(&format!("the last entry is {}, and {last} were written", middle - 1)),
        "{cut_off}"
    );
    // The authority goes on to write, and the gap stays to be seen.
    Protocol::Http.obtain(&system, USER, PASSWORD).await.expect("nobody is locked out by it");
    assert!(complaint(&system).contains(&format!("entry {middle} is missing")));

    // Another master key links nothing of this one's. Its own check of the sealed keys comes before.
    let mut env = system.auth_env.clone();
    env.insert(
        "AUTH__KEYS__MASTER_KEY_FILE".to_owned(),
        format!("{}/other.key", system.folder.path().display()),
    );
    let output = run("auth-service", &["audit", "verify"], system.folder.path(), &env, "");
    assert_eq!(output.status.code(), Some(1));
}
