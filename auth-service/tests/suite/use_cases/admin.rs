use std::time::Duration;

use auth_service::authority::admin::{AuditHead, NewUser};
use auth_service::clients::{
    Audience, ClientId, ClientLogin, ClientMethod, GrantType, NewClient, TokenBinding,
};
use auth_service::error::{AdminFault, Error, ErrorKind};
use auth_service::keys::Algorithm;
use auth_service::secret::PlainSecret;
use shared_claims::ScopeSet;

use super::{InProcess, PASSWORD, REVOKED, header, password_grant};

const INVALID: ErrorKind = ErrorKind::Admin(AdminFault::Invalid);
const NOT_FOUND: ErrorKind = ErrorKind::Admin(AdminFault::NotFound);
const TAKEN: ErrorKind = ErrorKind::Admin(AdminFault::Taken);

fn kind<T>(outcome: Result<T, Error>) -> Result<(), ErrorKind> {
    outcome.map(drop).map_err(|error| error.kind)
}

fn new_user<'a>(username: &'a str, password: Option<&str>) -> NewUser<'a> {
    let password = password.map(|password| PlainSecret::new(password.to_owned()));
    NewUser { username, roles: Vec::new(), password }
}

#[test]
fn a_user_is_created_once_under_any_name_that_looks_like_it() {
    let signet = InProcess::new();
    let generated = signet.authority.create_user(new_user("alice", None)).unwrap().generated.unwrap();
    let login = password_grant("alice", generated.expose());
    assert!(signet.grant(&signet.first_party(), login).is_ok());
    for like in ["alice", "Alice", "\u{430}lice", "a1ice"] {
        let again = kind(signet.authority.create_user(new_user(like, None)));
        assert!(matches!(again, Err(TAKEN | INVALID)), "{like}: {again:?}");
    }
    assert_eq!(kind(signet.authority.create_user(new_user("a\nb", None))), Err(INVALID));
    assert_eq!(kind(signet.authority.create_user(new_user("bob", Some("short")))), Err(INVALID));
    let role = NewUser { roles: vec!["two words".to_owned()], ..new_user("bob", None) };
    assert_eq!(kind(signet.authority.create_user(role)), Err(INVALID));
    let chosen = signet.authority.create_user(new_user("bob", Some(PASSWORD))).unwrap();
    assert!(chosen.generated.is_none(), "a chosen password is not shown");
}

#[test]
fn operators_end_what_a_user_has() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    assert_eq!(signet.authority.disable_user("alice").unwrap(), 1);
    signet.see_changes();
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
    assert_eq!(kind(signet.authority.disable_user("nobody")), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.set_user_password("nobody", None)), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.remove_user_second_factor("nobody")), Err(NOT_FOUND));
    assert!(!signet.authority.remove_user_second_factor("alice").unwrap());
}

#[test]
fn a_client_needs_audiences_that_exist_and_a_name_of_its_own() {
    let signet = InProcess::new();
    let new = |id: &str, audience: &str| NewClient {
        id: ClientId::parse(id).unwrap(),
        scope: ScopeSet::default(),
        audiences: vec![audience.to_owned()],
        grants: vec![GrantType::ClientCredentials],
        introspects: Vec::new(),
        cors_origins: Vec::new(),
        login: ClientLogin::default(),
        method: ClientMethod::Secret,
        token_binding: TokenBinding::Optional,
    };
    assert_eq!(kind(signet.authority.create_client(&new("web", "mail"))), Err(NOT_FOUND));
    signet.audience("mail");
    assert_eq!(kind(signet.authority.create_client(&new("web", "mail"))), Ok(()));
    assert_eq!(kind(signet.authority.create_client(&new("web", "mail"))), Err(TAKEN));
    let first_party = signet.first_party().id.to_string();
    assert_eq!(kind(signet.authority.create_client(&new(&first_party, "mail"))), Err(TAKEN));
    let unknown = NewClient { introspects: vec!["none".to_owned()], ..new("gateway", "mail") };
    assert_eq!(kind(signet.authority.create_client(&unknown)), Err(NOT_FOUND));
    let nobody = ClientId::parse("nobody").unwrap();
    assert_eq!(kind(signet.authority.disable_client(&nobody)), Err(NOT_FOUND));
    assert_eq!(kind(signet.authority.renew_client_secret(&nobody, Duration::ZERO)), Err(NOT_FOUND));
}

#[test]
fn an_audience_has_a_name_that_a_claim_can_hold() {
    let signet = InProcess::new();
    let create = |name: &str| kind(signet.authority.create_audience(&Audience::named(name)));
    for bad in ["", "two words", "a#b", "é", &"a".repeat(256)] {
        assert_eq!(create(bad), Err(INVALID), "{bad:?}");
    }
    assert_eq!(create(&"a".repeat(255)), Ok(()));
    assert_eq!(create("https://notes.example"), Ok(()));
    assert_eq!(create("https://notes.example"), Err(TAKEN));
    assert_eq!(kind(signet.authority.set_audience_encryption("none", None)), Err(NOT_FOUND));
}

#[test]
fn an_audience_may_have_an_algorithm_of_its_own() {
    let signet = InProcess::new();
    let audience = Audience { algorithm: Some(Algorithm::Es256), ..Audience::named("mail") };
    signet.authority.create_audience(&audience).unwrap();
    let client = signet.client_like("web", |new| new.audiences = vec!["mail".to_owned()]);
    let token = signet.client_token(&client);
    assert_eq!(header(&token)["alg"], "ES256");
    assert_eq!(signet.verify(&token), Ok(()));
}

#[test]
fn the_audit_log_is_whole_and_a_head_of_another_log_is_noticed() {
    let signet = InProcess::new();
    signet.user("alice");
    let summary = signet.authority.verify_audit_log(None).unwrap();
    let head = summary.head.unwrap();
    assert!(summary.entries > 0);
    assert_eq!(signet.authority.audit_head().unwrap(), Some(head.clone()));
    signet.user("bob");
    let later = signet.authority.verify_audit_log(Some(&head)).unwrap();
    assert!(later.entries > summary.entries);
    let other = AuditHead::parse(&format!("{}:{}", summary.entries, "0".repeat(64))).unwrap();
    assert_eq!(kind(signet.authority.verify_audit_log(Some(&other))), Err(ErrorKind::Internal));
    let beyond = AuditHead::parse(&format!("{}:{}", later.entries + 1, "0".repeat(64))).unwrap();
    assert_eq!(kind(signet.authority.verify_audit_log(Some(&beyond))), Err(ErrorKind::Internal), "cut off");
    assert_eq!(kind(AuditHead::parse("1:xyz")), Err(INVALID));
    assert_eq!(signet.authority.audit_entries(0).unwrap().len(), usize::try_from(later.entries).unwrap());
}

#[test]
fn a_rotated_key_signs_after_its_lead_and_a_revoked_one_verifies_nothing() {
    let signet = InProcess::new();
    let client = signet.client("web");
    let before = signet.client_token(&client);
    let kid = |token: &str| header(token)["kid"].as_str().unwrap().to_owned();
    let (next, signs_at) =
        signet.authority.rotate_key(Algorithm::EdDsa, false, signet.authority.now()).unwrap();
    assert_eq!(kid(&signet.client_token(&client)), kid(&before), "not before every verifier has it");
    signet.clock.set(signs_at);
    signet.see_changes();
    let after = signet.client_token(&client);
    assert_eq!(kid(&after), next);
    assert!(signet.authority.revoke_key(&next, signet.authority.now()).unwrap());
    assert!(!signet.authority.revoke_key(&next, signet.authority.now()).unwrap(), "once");
    assert_eq!(signet.verify(&after), Err(super::INVALID));
    assert_eq!(signet.verify(&signet.client_token(&client)), Ok(()), "the standby key signs");
}

#[test]
fn a_restored_backup_begins_a_later_epoch() {
    let signet = InProcess::new();
    let first = signet.authority.note_restored_backup().unwrap();
    let second = signet.authority.note_restored_backup().unwrap();
    assert!(first >= 1 && second > first);
}
