use super::{InProcess, REVOKED, context};

#[test]
fn a_refresh_token_is_revoked_with_its_session_and_all_its_access_tokens() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.client("web");
    let first = signet.log_in(&client, "alice");
    let second = signet.refresh(&client, &first.refresh).unwrap();
    let other = signet.log_in(&client, "alice");
    signet.authority.revoke_token(&client, &second.refresh, &context()).unwrap();
    for token in [&first.access, &second.access, &second.refresh] {
        assert_eq!(signet.verify(token), Err(REVOKED), "at once, not after a poll");
    }
    assert_eq!(signet.verify(&other.access), Ok(()), "another session goes on");
    signet.authority.revoke_token(&client, &second.refresh, &context()).unwrap();
}

#[test]
fn an_access_token_is_revoked_alone() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.client("web");
    let pair = signet.log_in(&client, "alice");
    signet.authority.revoke_token(&client, &pair.access, &context()).unwrap();
    assert_eq!(signet.verify(&pair.access), Err(REVOKED));
    let next = signet.refresh(&client, &pair.refresh).unwrap();
    assert_eq!(signet.verify(&next.access), Ok(()));
    let machine = signet.client_token(&client);
    signet.authority.revoke_token(&client, &machine, &context()).unwrap();
    assert_eq!(signet.verify(&machine), Err(REVOKED));
}

#[test]
fn a_token_of_another_client_stays_good_and_an_unknown_one_is_no_error() {
    let signet = InProcess::new();
    signet.user("alice");
    let (owner, other) = (signet.client("web"), signet.client("other"));
    let pair = signet.log_in(&owner, "alice");
    for token in [&pair.refresh, &pair.access] {
        signet.authority.revoke_token(&other, token, &context()).unwrap();
        assert_eq!(signet.verify(token), Ok(()));
    }
    for garbage in ["", "a.b.c", "x"] {
        signet.authority.revoke_token(&other, garbage, &context()).unwrap();
    }
}
