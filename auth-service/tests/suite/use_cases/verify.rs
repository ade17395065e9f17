use std::time::Duration;

use super::{EXPIRED, INVALID, InProcess, REVOKED};

#[test]
fn tokens_of_both_kinds_hold_until_they_end() {
    let signet = InProcess::new();
    signet.user("alice");
    let pair = signet.log_in(&signet.first_party(), "alice");
    assert_eq!(signet.verify(&pair.access), Ok(()));
    assert_eq!(signet.verify(&pair.refresh), Ok(()));
    signet.clock.advance(Duration::from_secs(300));
    assert_eq!(signet.verify(&pair.access), Err(EXPIRED));
    assert_eq!(signet.verify(&pair.refresh), Ok(()));
    signet.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(signet.verify(&pair.refresh), Err(EXPIRED));
}

#[test]
fn a_token_of_another_authority_does_not_hold() {
    let (signet, other) = (InProcess::new(), InProcess::new());
    other.user("alice");
    let pair = other.log_in(&other.first_party(), "alice");
    assert_eq!(signet.verify(&pair.access), Err(INVALID));
    assert_eq!(signet.verify(&pair.refresh), Err(INVALID));
    assert_eq!(signet.verify(""), Err(INVALID));
}

#[test]
fn a_new_password_ends_the_sessions_of_the_old_one() {
    let signet = InProcess::new();
    signet.user("alice");
    let pair = signet.log_in(&signet.first_party(), "alice");
    let set = signet.authority.set_user_password("alice", None).unwrap();
    assert_eq!(set.sessions_ended, 1);
    signet.see_changes();
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
    assert_eq!(signet.verify(&pair.refresh), Err(REVOKED));
}
