use std::time::Duration;

use auth_service::authority::tokens::Introspection;

use super::{InProcess, context};

#[test]
fn a_token_is_active_for_its_client_and_its_audience_and_for_nobody_else() {
    let signet = InProcess::new();
    signet.user("alice");
    let (owner, stranger) = (signet.client("web"), signet.client("stranger"));
    let audience = signet.client_like("notes", |new| new.audiences.clear());
    let gateway = signet.client_like("gateway", |new| new.introspects = vec!["notes".to_owned()]);
    let pair = signet.log_in(&owner, "alice");
    for (client, sees) in [(&owner, true), (&audience, true), (&gateway, true), (&stranger, false)] {
        assert_eq!(signet.is_active(client, &pair.access), sees, "{}", client.id);
    }
    assert!(signet.is_active(&owner, &pair.refresh));
    for other in [&audience, &gateway, &stranger] {
        assert!(!signet.is_active(other, &pair.refresh), "{}", other.id);
    }
}

#[test]
fn the_answer_names_the_user_from_the_database_and_then_from_memory() {
    let signet = InProcess::new();
    let id = signet.user("alice");
    let client = signet.client("web");
    let pair = signet.log_in(&client, "alice");
    for _ in 0..2 {
        let step = signet.authority.introspect(&client, &pair.access).unwrap();
        let Introspection::Active(token) = step.complete(&signet.authority).unwrap() else {
            panic!("it is active");
        };
        assert_eq!((token.username.as_deref(), token.sub.as_str()), (Some("alice"), id.as_str()));
        assert_eq!((token.token_type, token.scope.as_str()), ("Bearer", "read write"));
    }
    let machine = signet.client_token(&client);
    let Introspection::Active(token) =
        signet.authority.introspect(&client, &machine).unwrap().complete(&signet.authority).unwrap()
    else {
        panic!("it is active");
    };
    assert_eq!((token.username, token.sub.as_str()), (None, "client:web"));
}

#[test]
fn what_no_longer_holds_is_inactive() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.client("web");
    let first = signet.log_in(&client, "alice");
    let second = signet.refresh(&client, &first.refresh).unwrap();
    assert!(signet.is_active(&client, &first.refresh), "for the grace it can be presented again");
    signet.clock.advance(Duration::from_secs(11));
    assert!(!signet.is_active(&client, &first.refresh), "used");
    assert!(signet.is_active(&client, &second.refresh), "asking about a used token is no use of it");
    signet.clock.advance(Duration::from_secs(289));
    assert!(!signet.is_active(&client, &second.access), "expired");
    signet.authority.revoke_token(&client, &second.refresh, &context()).unwrap();
    assert!(!signet.is_active(&client, &second.refresh), "revoked");
    for garbage in ["", "x", "a.b.c"] {
        assert!(!signet.is_active(&client, garbage));
    }
}

#[test]
fn the_tokens_of_a_disabled_client_are_inactive() {
    let signet = InProcess::new();
    let (client, gateway) = (signet.client("web"), signet.client_like("notes", |new| new.audiences.clear()));
    let token = signet.client_token(&client);
    assert!(signet.is_active(&gateway, &token));
    signet.authority.disable_client(&client.id).unwrap();
    signet.see_changes();
    assert!(!signet.is_active(&gateway, &token));
}
