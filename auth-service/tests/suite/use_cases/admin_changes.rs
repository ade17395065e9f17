//! What operators change, and how they undo it.

use std::time::Duration;

use auth_service::clients::{Audience, AudienceChange, ClientChange, TokenType};
use auth_service::clock::{Clock, Timestamp};
use auth_service::error::{AdminFault, Error, ErrorKind, SignInFault};
use auth_service::storage::{AuditFilter, Enabled, SessionPage, UserChange, UserPage};
use auth_service::users::{Address, Username};
use shared_claims::ScopeSet;

use super::{InProcess, PASSWORD, REVOKED, claims, password_grant};

const INVALID: ErrorKind = ErrorKind::Admin(AdminFault::Invalid);
const NOT_FOUND: ErrorKind = ErrorKind::Admin(AdminFault::NotFound);
const TAKEN: ErrorKind = ErrorKind::Admin(AdminFault::Taken);
const IN_USE: ErrorKind = ErrorKind::Admin(AdminFault::InUse);

fn kind<T>(outcome: Result<T, Error>) -> Result<(), ErrorKind> {
    outcome.map(drop).map_err(|error| error.kind)
}

#[test]
fn an_enabled_user_logs_in_and_what_they_had_stays_dead() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let before = signet.log_in(&client, "alice");
    signet.authority.disable_user("alice").unwrap();
    let refused = signet.grant(&client, password_grant("alice", PASSWORD)).err();
    assert_eq!(refused, Some(ErrorKind::SignIn(SignInFault::InvalidCredentials)));
    let enabled = signet.authority.enable_user("Alice").unwrap();
    // The difference that clocks may have, and the second in which it ends.
    let accepted_from = signet.clock.now().plus(Duration::from_secs(6));
    assert_eq!(enabled, Enabled { changed: true, accepted_from: Some(accepted_from) });
    signet.see_changes();
    let early = signet.log_in(&client, "alice");
    assert_eq!(signet.verify(&early.access), Err(REVOKED), "issued before the time that enabling names");
    signet.clock.set(accepted_from);
    let after = signet.log_in(&client, "alice");
    assert_eq!(signet.verify(&after.access), Ok(()));
    assert_eq!(signet.verify(&before.access), Err(REVOKED));
    let dead = signet.refresh(&client, &before.refresh).err();
    assert_eq!(
        dead,
        Some(ErrorKind::SignIn(SignInFault::AccountInactive)),
        "its session ended with the account"
    );
    assert!(!signet.authority.enable_user("alice").unwrap().changed, "a second time changes nothing");
    assert_eq!(kind(signet.authority.enable_user("nobody")), Err(NOT_FOUND));
}

#[test]
fn an_enabled_client_gets_tokens_that_are_accepted_from_the_time_that_enabling_names() {
    let signet = InProcess::new();
    let client = signet.client("billing");
    let before = signet.client_token(&client);
    signet.authority.disable_client(&client.id).unwrap();
    signet.see_changes();
    assert!(signet.authority.clients.enabled(&client.id).is_none());
    let enabled = signet.authority.enable_client(&client.id).unwrap();
    signet.see_changes();
    let accepted_from = enabled.accepted_from.unwrap();
    let wait = signet.clock.now().distance(accepted_from);
    assert!(wait > Duration::from_secs(60), "tokens.offline_issuing at least: {wait:?}");
    assert_eq!(enabled, Enabled { changed: true, accepted_from: Some(accepted_from) });
    let client = signet.authority.clients.enabled(&client.id).unwrap();
    signet.clock.set(Timestamp(accepted_from.0 - 1));
    assert_eq!(signet.verify(&signet.client_token(&client)), Err(REVOKED));
    signet.clock.set(accepted_from);
    assert_eq!(signet.verify(&signet.client_token(&client)), Ok(()));
    assert!(signet.verify(&before).is_err());
}

#[test]
fn a_deleted_user_leaves_nothing_but_an_id_in_the_audit_log() {
    let signet = InProcess::new();
    let id = signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    let email = Some(Some(Address::parse("alice@example.com").unwrap()));
    signet.authority.update_user("alice", UserChange { email, ..UserChange::default() }).unwrap();
    assert_eq!(signet.authority.delete_user("alice").unwrap(), 1);
    signet.see_changes();
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
    assert!(signet.refresh(&client, &pair.refresh).is_err());
    assert_eq!(kind(signet.authority.user_summary("alice")), Err(NOT_FOUND));
    assert!(
        signet
            .authority
            .sessions_page(&SessionPage { all: true, limit: 10, ..SessionPage::default() })
            .unwrap()
            .is_empty()
    );
    assert!(!signet.authority.storage.has_email("alice@example.com").unwrap());
    let entries = signet.authority.audit_entries(0).unwrap();
    assert!(
        entries.iter().any(|entry| entry.action == "user.deleted" && entry.user_id.as_ref() == Some(&id))
    );
    assert!(!format!("{entries:?}").contains("alice"), "no entry names the user: {entries:?}");
    signet.authority.verify_audit_log(None).unwrap();
    // The name is free again, for another user.
    assert_ne!(signet.user("alice"), id);
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
}

#[test]
fn a_user_is_renamed_and_gets_roles_and_an_address() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.user("bob");
    let client = signet.first_party();
    let rename = |from: &str, to: &str| {
        let username = Some(Username::new(to).unwrap());
        kind(signet.authority.update_user(from, UserChange { username, ..UserChange::default() }))
    };
    assert_eq!(rename("alice", "bob"), Err(TAKEN));
    assert_eq!(rename("alice", "b0b"), Err(TAKEN), "it looks like another one");
    assert_eq!(rename("alice", "Alice"), Ok(()), "another spelling of their own name");
    assert_eq!(rename("alice", "carol"), Ok(()));
    assert_eq!(kind(signet.authority.user_summary("alice")), Err(NOT_FOUND));
    let roles = |roles: &[&str]| {
        let roles = Some(roles.iter().map(|role| (*role).to_owned()).collect());
        kind(signet.authority.update_user("carol", UserChange { roles, ..UserChange::default() }))
    };
    assert_eq!(roles(&["two words"]), Err(INVALID));
    let pair = signet.log_in(&client, "carol");
    assert_eq!(roles(&["admin", "auditor"]), Ok(()));
    let refreshed = signet.refresh(&client, &pair.refresh).unwrap();
    assert_eq!(claims(&refreshed.access)["roles"], serde_json::json!(["admin", "auditor"]));
    assert_eq!(kind(signet.authority.update_user("carol", UserChange::default())), Err(INVALID));
    let email = Some(Some(Address::parse("Carol@example.com").unwrap()));
    signet.authority.update_user("carol", UserChange { email, ..UserChange::default() }).unwrap();
    let found = signet.authority.user_summary("carol").unwrap();
    assert_eq!(found.email.as_deref(), Some("Carol@example.com"));
    assert!(found.email_verified_at.is_some() && !found.has_second_factor);
    signet.authority.update_user("carol", UserChange { email: Some(None), ..UserChange::default() }).unwrap();
    let found = signet.authority.user_summary("carol").unwrap();
    assert_eq!((found.email, found.email_verified_at), (None, None));
}

#[test]
fn an_unlocked_user_need_not_wait() {
    let signet = InProcess::with(|settings| settings.limits.account = 3);
    signet.user("alice");
    let client = signet.first_party();
    let guess = || signet.grant(&client, password_grant("alice", "a wrong guess")).err().unwrap();
    while guess() == ErrorKind::SignIn(SignInFault::InvalidCredentials) {}
    let limited = |error: ErrorKind| matches!(error, ErrorKind::TooManyAttempts(_));
    assert!(signet.grant(&client, password_grant("alice", PASSWORD)).is_err_and(limited));
    assert!(signet.authority.unlock_user("ALICE", None).unwrap() > 0);
    assert!(signet.grant(&client, password_grant("alice", PASSWORD)).is_ok());
    assert_eq!(kind(signet.authority.unlock_user("nobody", None)), Err(NOT_FOUND));
}

#[test]
fn users_are_listed_by_name_and_in_pages() {
    let signet = InProcess::new();
    for name in ["dora", "anna", "under_score", "bernd", "hannah"] {
        signet.user(name);
    }
    signet.authority.disable_user("bernd").unwrap();
    let names = |page: UserPage| {
        let found = signet.authority.users_page(&UserPage { limit: 10, ..page }).unwrap();
        found.into_iter().map(|found| found.user.username.as_str().to_owned()).collect::<Vec<_>>()
    };
    let containing = |text: &str| names(UserPage { contains: Some(text.to_owned()), ..UserPage::default() });
    assert_eq!(names(UserPage::default()), ["anna", "bernd", "dora", "hannah", "under_score"]);
    assert_eq!(
        names(UserPage { after: "bernd".to_owned(), ..UserPage::default() }),
        ["dora", "hannah", "under_score"]
    );
    assert_eq!(containing("NNA"), ["anna", "hannah"]);
    assert_eq!(containing("r_s"), ["under_score"], "no wildcard");
    assert_eq!(containing("%"), [""; 0]);
    assert_eq!(names(UserPage { enabled: Some(false), ..UserPage::default() }), ["bernd"]);
    assert_eq!(names(UserPage { enabled: Some(true), ..UserPage::default() }).len(), 4);
}

#[test]
fn an_operator_ends_sessions_one_by_one_or_of_a_user_or_client() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.user("bob");
    let (web, app) = (signet.client("web"), signet.client("app"));
    let [one, two] = [&web, &app].map(|client| signet.log_in(client, "alice"));
    let [three, four] = [&web, &app].map(|client| signet.log_in(client, "bob"));
    let page =
        |page: SessionPage| signet.authority.sessions_page(&SessionPage { limit: 10, ..page }).unwrap();
    let all = page(SessionPage::default());
    assert_eq!(all.iter().map(|s| (s.username.as_str(), s.client_id.as_str())).collect::<Vec<_>>().len(), 4);
    assert_eq!(page(SessionPage { client_id: Some("web".to_owned()), ..SessionPage::default() }).len(), 2);
    let alice = signet.authority.user_id("alice").unwrap();
    let of_alice = SessionPage { user_id: Some(alice), ..SessionPage::default() };
    assert!(page(of_alice.clone()).iter().all(|session| session.username == "alice"));
    let first = claims(&one.access)["sid"].as_str().unwrap().to_owned();
    assert!(signet.authority.end_session_by_id(&first).unwrap());
    assert!(!signet.authority.end_session_by_id(&first).unwrap(), "it has ended before");
    assert_eq!(kind(signet.authority.end_session_by_id("none")), Err(NOT_FOUND));
    assert_eq!(signet.authority.end_sessions_of_client(&web.id).unwrap(), 1);
    assert_eq!(signet.authority.end_sessions_of_user("bob").unwrap(), 1);
    signet.see_changes();
    for dead in [&one, &three, &four] {
        assert_eq!(signet.verify(&dead.access), Err(REVOKED));
    }
    assert_eq!(signet.verify(&two.access), Ok(()));
    assert_eq!(page(of_alice.clone()).len(), 1);
    assert_eq!(page(SessionPage { all: true, ..of_alice }).len(), 2);
    assert!(signet.refresh(&app, &two.refresh).is_ok());
    let ended = signet.authority.session_summary(&first).unwrap();
    assert_eq!((ended.end_reason.as_deref(), ended.ended_at.is_some()), (Some("revoked"), true));
}

#[test]
fn a_client_gets_other_rights_from_its_next_token_on_and_is_deleted_for_good() {
    let signet = InProcess::new();
    let (client, secret) = signet.client_and_secret("billing", |_| {});
    let before = signet.client_token(&client);
    let scope =
        |text: &str| ClientChange { scope: Some(ScopeSet::parse(text).unwrap()), ..ClientChange::default() };
    signet.authority.update_client(&client.id, scope("read")).unwrap();
    signet.see_changes();
    let changed = signet.authority.clients.enabled(&client.id).unwrap();
    assert_eq!(claims(&signet.client_token(&changed))["scope"], "read");
    assert_eq!(signet.verify(&before), Ok(()), "tokens that it has keep theirs");
    let unknown = ClientChange { audiences: Some(vec!["none".to_owned()]), ..ClientChange::default() };
    assert_eq!(kind(signet.authority.update_client(&client.id, unknown)), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.update_client(&client.id, ClientChange::default())), Err(INVALID));
    assert_eq!(signet.authority.delete_client(&client.id).unwrap(), 0);
    signet.see_changes();
    assert_eq!(signet.verify(&before), Err(REVOKED));
    assert!(signet.authority.clients.enabled(&client.id).is_none());
    assert_eq!(kind(signet.authority.registered_client(&client.id)), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.update_client(&client.id, scope("read"))), Err(NOT_FOUND));
    let again = signet.client_and_secret("billing", |_| {}).1;
    assert_ne!(again.expose(), secret.expose());
}

#[test]
fn an_audience_is_changed_and_deleted_when_no_client_uses_it() {
    let signet = InProcess::new();
    signet.audience("mail");
    let change = AudienceChange { token_type: Some(TokenType::Jwt), algorithm: None };
    signet.authority.update_audience("mail", change).unwrap();
    assert_eq!(
        signet.authority.registered_audience("mail").unwrap(),
        Audience { token_type: TokenType::Jwt, ..Audience::named("mail") }
    );
    assert_eq!(kind(signet.authority.update_audience("none", change)), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.update_audience("mail", AudienceChange::default())), Err(INVALID));
    let client = signet.client_like("sender", |new| new.audiences = vec!["mail".to_owned()]);
    let refused = signet.authority.delete_audience("mail").unwrap_err();
    assert!(refused.kind == IN_USE && refused.cause.contains("sender"), "{}", refused.cause);
    signet.authority.delete_client(&client.id).unwrap();
    assert_eq!(kind(signet.authority.delete_audience("mail")), Ok(()));
    assert_eq!(kind(signet.authority.delete_audience("mail")), Err(NOT_FOUND));
    let own = signet.first_party().audiences[0].clone();
    assert_eq!(kind(signet.authority.delete_audience(&own)), Err(IN_USE));
}

#[test]
fn the_audit_log_is_filtered_by_user_client_action_and_time() {
    let signet = InProcess::new();
    let alice = signet.user("alice");
    let bob = signet.user("bob");
    let client = signet.client("billing");
    let began = signet.clock.now();
    signet.clock.advance(Duration::from_secs(60));
    signet.authority.disable_user("alice").unwrap();
    signet.authority.enable_user("alice").unwrap();
    signet.authority.disable_user("bob").unwrap();
    signet.authority.disable_client(&client.id).unwrap();
    let actions = |filter: AuditFilter| {
        let found = signet.authority.audit_page(&filter, 0, 100).unwrap();
        found.into_iter().map(|entry| entry.action).collect::<Vec<_>>()
    };
    let later = AuditFilter { since: Some(began.plus(Duration::from_secs(60))), ..AuditFilter::default() };
    assert_eq!(actions(later.clone()), ["user.disabled", "user.enabled", "user.disabled", "client.disabled"]);
    let earlier = AuditFilter { until: later.since, ..AuditFilter::default() };
    let earlier = actions(earlier);
    assert!(earlier.contains(&"user.created".to_owned()), "{earlier:?}");
    assert!(
        earlier.iter().all(|action| !action.ends_with("abled")),
        "the first moment after it: {earlier:?}"
    );
    let of_alice = AuditFilter { user_id: Some(alice), ..later.clone() };
    assert_eq!(actions(of_alice.clone()), ["user.disabled", "user.enabled"]);
    let disabled = |action: &str| AuditFilter { action: Some(action.to_owned()), ..later.clone() };
    assert_eq!(actions(disabled("user.disabled")).len(), 2);
    assert_eq!(actions(disabled("user.")).len(), 3);
    assert_eq!(actions(disabled("user.dis")), [""; 0], "a whole name, or one that ends with a dot");
    assert_eq!(actions(AuditFilter { client_id: Some("billing".to_owned()), ..later }), ["client.disabled"]);
    let before = signet.authority.audit_before_newest(&of_alice, 1).unwrap();
    let newest = signet.authority.audit_page(&of_alice, before, 10).unwrap();
    assert_eq!(newest.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["user.enabled"]);
    assert_eq!(signet.authority.audit_before_newest(&of_alice, 100).unwrap(), 0);
    signet.authority.delete_user("bob").unwrap();
    assert_eq!(signet.authority.audited_user_id(&bob).unwrap(), bob, "a deleted user by their ID");
    assert_eq!(kind(signet.authority.audited_user_id("bob")), Err(NOT_FOUND));
}
