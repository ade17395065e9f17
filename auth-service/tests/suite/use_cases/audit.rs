use std::time::Duration;

use auth_service::audit::AuditEntry;
use auth_service::authority::admin::AuditHead;
use auth_service::authority::sync::SweepPolicy;
use auth_service::clock::Clock;
use auth_service::error::ErrorKind;
use auth_service::storage::AuditFilter;

use super::{CLIENT_IP, InProcess, PASSWORD, USER_AGENT, context, password_grant};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn entries(signet: &InProcess) -> Vec<AuditEntry> {
    signet.authority.audit_entries(0).unwrap()
}

fn last(signet: &InProcess) -> AuditEntry {
    entries(signet).pop().unwrap()
}

fn refused(signet: &InProcess, username: &str) -> AuditEntry {
    signet.grant(&signet.first_party(), password_grant(username, "wrong")).err().unwrap();
    last(signet)
}

/// What is wrong with the log.
fn fault(signet: &InProcess) -> Option<String> {
    let error = signet.authority.verify_audit_log(None).err()?;
    assert_eq!(error.kind, ErrorKind::Internal);
    Some(error.cause)
}

fn prune(signet: &InProcess, before: Duration) -> usize {
    let before = signet.clock.now().minus(before);
    signet.authority.prune_audit_log(before, |_| true).map_err(|error| error.cause).unwrap().entries
}

/// Each with the address, the program and the ID of its request, and those of no request without.
#[test]
fn an_entry_says_where_its_request_came_from() {
    let signet = InProcess::new();
    signet.user("alice");
    let created = last(&signet);
    assert_eq!((created.action.as_str(), &created.request_id), ("user.created", &None));
    assert!(!created.is_erased(), "it never had any");

    let client = signet.client("web");
    let pair = signet.log_in(&client, "alice");
    let login = last(&signet);
    signet.refresh(&client, &pair.refresh).unwrap();
    signet.clock.advance(Duration::from_secs(3600));
    signet.refresh(&client, &pair.refresh).unwrap_err();
    let reuse = last(&signet);
    let pair = signet.log_in(&signet.first_party(), "alice");
    signet.authority.blacklist(&pair.refresh, &context()).unwrap();
    let blacklisted = last(&signet);
    let pair = signet.log_in(&client, "alice");
    signet.authority.revoke_token(&client, &pair.access, &context()).unwrap();
    let revoked = last(&signet);
    let account = signet.log_in(&signet.first_party(), "alice");
    let token = signet.authority.issue_account_token(&account.refresh).unwrap().access_token;
    let caller = signet.authority.authenticate_caller(&token, &context()).unwrap();
    signet.authority.end_other_sessions(&caller).unwrap();
    let others = last(&signet);

    let of_requests = [
        (login, "login"),
        (reuse, "session.ended"),
        (blacklisted, "session.ended"),
        (revoked, "token.revoked"),
        (others, "session.ended"),
    ];
    for (entry, action) in of_requests {
        assert_eq!(entry.action, action);
        assert_eq!(entry.personal.client_ip.as_deref(), Some(CLIENT_IP), "{entry:?}");
        assert_eq!(entry.personal.user_agent.as_deref(), Some(USER_AGENT), "{entry:?}");
        assert_eq!(entry.request_id.as_ref().map(String::len), Some(16), "{entry:?}");
        assert_eq!(entry.personal.username, None, "{entry:?}");
    }
    assert_eq!(fault(&signet), None);
}

#[test]
fn a_refused_login_names_what_was_tried() {
    let signet = InProcess::with(|settings| settings.limits.pair = 2);
    signet.user("alice");
    let of = |entry: AuditEntry| (entry.outcome, entry.personal.username.unwrap());
    assert_eq!(
        of(refused(&signet, "nobody\u{7}")),
        ("refused: no user has this name".to_owned(), "nobody\\u{7}".to_owned())
    );
    assert_eq!(of(refused(&signet, "Alice")), ("refused: wrong password".to_owned(), "Alice".to_owned()));
    refused(&signet, "alice");
    let limited = refused(&signet, "alice");
    assert_eq!(limited.personal.client_ip.as_deref(), Some(CLIENT_IP));
    assert!(limited.user_id.is_some(), "it goes with its user");
    assert_eq!(of(limited), ("refused: too many logins have failed".to_owned(), "alice".to_owned()));

    let filter = AuditFilter { client_ip: Some(CLIENT_IP.to_owned()), ..AuditFilter::default() };
    assert_eq!(signet.authority.audit_page(&filter, 0, 100).unwrap().len(), 4);
}

#[test]
fn deleting_a_user_erases_their_data_and_nothing_else_may() {
    let signet = InProcess::new();
    let (alice, bob) = (signet.user("alice"), signet.user("bob"));
    for username in ["alice", "bob"] {
        refused(&signet, username);
        signet.log_in(&signet.first_party(), username);
    }
    signet.authority.delete_user("alice").map_err(|error| error.cause).unwrap();
    let of_alice: Vec<_> =
        entries(&signet).into_iter().filter(|entry| entry.user_id.as_ref() == Some(&alice)).collect();
    assert_eq!(of_alice.iter().filter(|entry| entry.is_erased()).count(), 2, "{of_alice:?}");
    assert!(of_alice.iter().all(|entry| entry.personal.client_ip.is_none()), "{of_alice:?}");
    assert_eq!(fault(&signet), None, "the user was deleted");

    // Bob's went without a deletion.
    let erased = "client_ip = NULL, user_agent = NULL, username = NULL, salt = NULL";
    signet.execute(&format!("UPDATE audit SET {erased} WHERE user_id = '{bob}'"));
    assert!(fault(&signet).unwrap().contains("client IP, user agent or username"), "{:?}", fault(&signet));
}

#[test]
fn a_log_that_was_pruned_is_verified_from_its_checkpoint() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.log_in(&signet.first_party(), "alice");
    let early = signet.authority.audit_head().unwrap().unwrap();
    let old = entries(&signet).len();
    signet.clock.advance(DAY);
    refused(&signet, "alice");

    assert_eq!(prune(&signet, DAY * 2), 0);
    assert_eq!(prune(&signet, DAY / 2), old);
    let kept: Vec<_> = entries(&signet).into_iter().map(|entry| entry.action).collect();
    assert_eq!(kept, ["login", "audit.pruned"]);
    let summary = signet.authority.verify_audit_log(None).unwrap();
    assert_eq!((summary.entries, summary.pruned), (old as i64 + 2, old as i64));
    signet.authority.verify_audit_log(Some(&early)).expect("its head is the checkpoint");
    assert_eq!(prune(&signet, DAY / 2), 0, "nothing is left to prune");

    refused(&signet, "alice");
    signet.clock.advance(DAY);
    assert_eq!(prune(&signet, Duration::ZERO), 2, "the newest entry stays");
    let pruned = signet.authority.verify_audit_log(Some(&early)).unwrap_err();
    assert!(pruned.cause.contains("pruned"), "{}", pruned.cause);
    assert_eq!(fault(&signet), None);

    // A head of the same number, of another log.
    let checkpoint = signet.authority.storage.audit_checkpoint().unwrap().unwrap().position.seq;
    let other =
        AuditHead::parse(&format!("{checkpoint}:{}", "ab".repeat(32))).map_err(|error| error.cause).unwrap();
    let replaced = signet.authority.verify_audit_log(Some(&other)).unwrap_err();
    assert!(replaced.cause.contains("replaced"), "{}", replaced.cause);

    // Anyone without the key who deletes more, or moves the checkpoint, is noticed.
    let next = summary.entries + 1;
    signet.execute("DROP TRIGGER audit_is_not_deleted");
    signet.execute(&format!("DELETE FROM audit WHERE seq = {next}"));
    assert!(fault(&signet).unwrap().contains(&format!("entry {next} is missing")));
    signet.execute(&format!("UPDATE audit_checkpoint SET seq = {next}"));
    assert!(fault(&signet).unwrap().contains("checkpoint"));
}

#[test]
fn a_log_that_was_tampered_with_is_not_pruned() {
    let signet = InProcess::new();
    signet.user("alice");
    refused(&signet, "alice");
    let before = entries(&signet).len();
    signet.execute("DROP TRIGGER audit_is_not_updated");
    signet.execute("UPDATE audit SET outcome = 'done' WHERE action = 'login'");
    signet.clock.advance(DAY);
    refused(&signet, "alice");
    let error = signet.authority.prune_audit_log(signet.clock.now(), |_| true).unwrap_err();
    assert!(error.cause.contains("was altered"), "{}", error.cause);
    assert_eq!(entries(&signet).len(), before + 1);
}

/// What is pruned is old by the time in its verified entry, and by nothing that stands beside it.
#[test]
fn a_time_that_was_altered_prunes_nothing() {
    let signet = InProcess::new();
    signet.user("alice");
    refused(&signet, "alice");
    refused(&signet, "alice");
    let before = entries(&signet).len();
    signet.execute("DROP TRIGGER audit_is_not_updated");
    signet.execute("UPDATE audit SET at = 1");
    let cutoff = signet.clock.now().minus(DAY);
    assert!(signet.authority.prune_audit_log(cutoff, |_| true).is_err());
    assert_eq!(entries(&signet).len(), before);
}

/// A row that someone else has written signs nothing else than the entry behind it.
#[test]
fn a_mac_of_another_length_is_none() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.execute("DROP TRIGGER audit_is_not_updated");
    signet.execute("UPDATE audit SET mac = zeroblob(200) WHERE seq = (SELECT max(seq) FROM audit)");
    refused(&signet, "alice");
    assert!(fault(&signet).unwrap().contains("was altered"));
}

#[test]
fn the_sweep_keeps_entries_for_as_long_as_the_setting_says() {
    let signet = InProcess::new();
    signet.user("alice");
    let policy = SweepPolicy { interval: Duration::from_secs(60), keep: DAY, audit_keep: Some(DAY * 30) };
    let sweep = |policy| {
        signet.clock.advance(Duration::from_secs(60));
        signet.authority.sweep(policy, || true).map_err(|error| error.cause).unwrap();
    };
    signet.clock.advance(DAY * 29);
    refused(&signet, "alice");
    let all = entries(&signet).len();
    sweep(policy);
    assert_eq!(entries(&signet).len(), all);
    signet.clock.advance(DAY);
    sweep(SweepPolicy { audit_keep: None, ..policy });
    assert_eq!(entries(&signet).len(), all, "for ever, unless it is set");
    sweep(policy);
    let left: Vec<_> = entries(&signet).into_iter().map(|entry| entry.action).collect();
    assert_eq!(left, ["login", "audit.pruned"]);
    assert_eq!(fault(&signet), None);
    signet.grant(&signet.first_party(), password_grant("alice", PASSWORD)).unwrap();
}
