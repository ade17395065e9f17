use std::time::Duration;

use auth_service::authority::grants::Grant;
use auth_service::clients::GrantType;
use auth_service::error::{ErrorKind, OAuthFault, SignInFault};
use auth_service::users::ClientIp;

use super::{InProcess, PASSWORD, REVOKED, claims, password_grant};

const REFUSED: ErrorKind = ErrorKind::SignIn(SignInFault::InvalidCredentials);

#[test]
fn a_right_password_begins_a_session() {
    let signet = InProcess::new();
    let id = signet.user("alice");
    let pair = signet.log_in(&signet.first_party(), "alice");
    let access = claims(&pair.access);
    assert_eq!(access["sub"], id.as_str());
    assert_eq!(access["roles"], serde_json::json!(["staff"]));
    assert_eq!(access["amr"], serde_json::json!(["pwd"]));
    assert_eq!(access["auth_time"], access["iat"]);
    assert_eq!(signet.verify(&pair.access), Ok(()));
    assert_eq!(signet.verify(&pair.refresh), Ok(()));
}

#[test]
fn a_name_is_one_name_in_every_spelling() {
    let signet = InProcess::new();
    let id = signet.user("Jos\u{e9}");
    let pair = signet.log_in(&signet.first_party(), "Jose\u{301}");
    assert_eq!(claims(&pair.access)["sub"], id.as_str());
}

#[test]
fn nobody_learns_why_a_login_was_refused() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.user("bob");
    signet.authority.disable_user("bob").unwrap();
    let client = signet.first_party();
    let refused =
        |name: &str, password: &str| signet.grant(&client, password_grant(name, password)).err().unwrap();
    assert_eq!(refused("alice", "wrong"), REFUSED);
    assert_eq!(refused("nobody", PASSWORD), REFUSED);
    assert_eq!(refused("bob", PASSWORD), REFUSED, "disabled");
    assert_eq!(refused("", PASSWORD), REFUSED);
    assert_eq!(refused("alice", ""), REFUSED);
    assert_eq!(refused("alice", &"a".repeat(1025)), REFUSED, "longer than any that could be set");
}

#[test]
fn too_many_failures_refuse_the_right_password_too_until_the_window_has_passed() {
    let signet = InProcess::with(|settings| {
        settings.limits.pair = 3;
        settings.limits.window = Duration::from_secs(90);
    });
    signet.user("alice");
    let client = signet.first_party();
    let from_here = |password: &str| {
        let Grant::Password(mut grant) = password_grant("alice", password) else {
            panic!("a password grant")
        };
        grant.context.client_ip = Some(ClientIp::from("192.0.2.1".parse::<std::net::IpAddr>().unwrap()));
        signet.grant(&client, Grant::Password(grant))
    };
    for _ in 0..3 {
        assert_eq!(from_here("wrong").err().unwrap(), REFUSED);
    }
    let ErrorKind::TooManyAttempts(seconds) = from_here(PASSWORD).err().unwrap() else {
        panic!("the right password was looked at");
    };
    assert_eq!(seconds, 30, "one of three comes back each third of the window");
    signet.clock.advance(Duration::from_millis(29_999));
    assert!(matches!(from_here(PASSWORD), Err(ErrorKind::TooManyAttempts(1))));
    signet.clock.advance(Duration::from_millis(1));
    assert!(from_here(PASSWORD).is_ok());
}

#[test]
fn only_a_client_that_is_registered_for_it_may_present_passwords() {
    let signet = InProcess::new();
    signet.user("alice");
    let machine = signet.client_like("machine", |new| new.grants = vec![GrantType::ClientCredentials]);
    let refused = signet.grant(&machine, password_grant("alice", PASSWORD));
    assert_eq!(refused.err().unwrap(), ErrorKind::OAuth(OAuthFault::UnauthorizedClient));
    let client = signet.client("web");
    let with = |scope: Option<&str>, audience: Option<&str>| {
        let Grant::Password(mut grant) = password_grant("alice", PASSWORD) else {
            panic!("a password grant")
        };
        (grant.scope, grant.audience) = (scope.map(str::to_owned), audience.map(str::to_owned));
        signet.grant(&client, Grant::Password(grant))
    };
    assert_eq!(with(Some("admin"), None).err().unwrap(), ErrorKind::OAuth(OAuthFault::InvalidScope));
    assert_eq!(with(None, Some("mail")).err().unwrap(), ErrorKind::OAuth(OAuthFault::InvalidTarget));
    assert_eq!(with(Some("read"), Some("notes")).unwrap().scope, "read");
}

#[test]
fn a_user_has_no_more_sessions_than_the_limit_and_the_oldest_goes() {
    let signet = InProcess::with(|settings| settings.tokens.max_sessions = 2);
    signet.user("alice");
    let client = signet.first_party();
    let pairs: Vec<_> = (0..3)
        .map(|_| {
            signet.clock.advance(Duration::from_secs(1));
            signet.log_in(&client, "alice")
        })
        .collect();
    assert_eq!(signet.refresh(&client, &pairs[0].refresh).err().unwrap(), REVOKED);
    assert!(signet.refresh(&client, &pairs[1].refresh).is_ok());
    assert!(signet.refresh(&client, &pairs[2].refresh).is_ok());
}
