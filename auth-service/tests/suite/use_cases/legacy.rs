use std::time::Duration;

use auth_service::authority::grants::{Grant, PasswordGrant};
use auth_service::error::{ErrorKind, SignInFault, TokenFault};

use super::{EXPIRED, INVALID, InProcess, PASSWORD, REVOKED, WRONG_TYPE, claims, context, password_grant};

fn login(username: &str, password: &str) -> PasswordGrant {
    let Grant::Password(grant) = password_grant(username, password) else { panic!("a password grant") };
    *grant
}

/// Sliding tokens of five minutes, which can be refreshed for an hour.
fn sliding() -> InProcess {
    InProcess::with(|settings| {
        settings.simplejwt.sliding = true;
        settings.simplejwt.sliding_ttl = Duration::from_secs(300);
        settings.simplejwt.sliding_refresh_ttl = Duration::from_secs(3600);
    })
}

#[test]
fn the_blacklist_ends_the_session_of_a_refresh_token() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let pair = signet.log_in(&client, "alice");
    let blacklist = |token: &str| signet.authority.blacklist(token, &context()).map_err(|error| error.kind);
    assert_eq!(blacklist(&pair.access), Err(WRONG_TYPE));
    assert_eq!(blacklist("a.b.c"), Err(INVALID));
    assert_eq!(blacklist(&pair.refresh), Ok(()));
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
    assert_eq!(blacklist(&pair.refresh), Err(REVOKED), "as simplejwt answers");
    let of_another = signet.log_in(&signet.client("web"), "alice");
    assert_eq!(blacklist(&of_another.refresh), Err(INVALID));
}

#[test]
fn a_sliding_token_is_exchanged_for_a_later_one_until_its_refresh_end() {
    let signet = sliding();
    signet.user("alice");
    let first = signet.authority.obtain_sliding(&login("alice", PASSWORD)).unwrap();
    let refresh =
        |token: &str| signet.authority.refresh_sliding(token, &context()).map_err(|error| error.kind);
    signet.clock.advance(Duration::from_secs(299));
    let mut token = refresh(&first).unwrap();
    assert_eq!(claims(&token)["refresh_exp"], claims(&first)["refresh_exp"]);
    assert_eq!(claims(&token)["jti"], claims(&first)["jti"]);
    // 299 s and eleven times 300 s less one: the last moment is the 3,599th second.
    for _ in 0..11 {
        signet.clock.advance(Duration::from_secs(299));
        token = refresh(&token).unwrap();
    }
    signet.clock.advance(Duration::from_secs(11));
    token = refresh(&token).unwrap();
    signet.clock.advance(Duration::from_secs(1));
    assert_eq!(refresh(&token), Err(ErrorKind::Token(TokenFault::RefreshEnded)));
    assert_eq!(refresh(&first), Err(EXPIRED));
}

#[test]
fn a_sliding_token_is_refused_with_its_user_and_only_where_it_is_offered() {
    let signet = sliding();
    signet.user("alice");
    let refused = signet.authority.obtain_sliding(&login("alice", "wrong")).map_err(|error| error.kind);
    assert_eq!(refused, Err(ErrorKind::SignIn(SignInFault::InvalidCredentials)));
    let token = signet.authority.obtain_sliding(&login("alice", PASSWORD)).unwrap();
    signet.authority.disable_user("alice").unwrap();
    signet.see_changes();
    let refused = signet.authority.refresh_sliding(&token, &context()).map_err(|error| error.kind);
    assert_eq!(refused, Err(REVOKED));
    let plain = InProcess::new();
    plain.user("alice");
    assert!(plain.authority.obtain_sliding(&login("alice", PASSWORD)).is_err());
    let pair = plain.log_in(&plain.first_party(), "alice");
    assert!(plain.authority.refresh_sliding(&pair.access, &context()).is_err());
}
