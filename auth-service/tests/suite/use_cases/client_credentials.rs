use std::time::Duration;

use auth_service::authority::grants::{ClientCredentialsGrant, Grant};
use auth_service::clients::GrantType;
use auth_service::error::{ErrorKind, OAuthFault};
use auth_service::sender_proof::SenderProof;
use shared_claims::ScopeSet;

use super::{EXPIRED, InProcess, claims};

fn asked(scope: Option<&str>, audience: Option<&str>) -> Grant {
    let (scope, audience) = (scope.map(str::to_owned), audience.map(str::to_owned));
    Grant::ClientCredentials(ClientCredentialsGrant { scope, audience, sender: SenderProof::default() })
}

#[test]
fn a_client_gets_a_token_for_itself_and_no_refresh_token() {
    let signet = InProcess::new();
    let client = signet.client("billing");
    let issued = signet.grant(&client, asked(Some("read"), None)).unwrap();
    assert_eq!((issued.expires_in, issued.scope.as_str(), issued.refresh_token), (300, "read", None));
    let claims = claims(&issued.access_token);
    assert_eq!(claims["sub"], "client:billing");
    assert_eq!(claims["client_id"], "billing");
    assert_eq!(claims["aud"], "notes");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    assert!(claims.get("sid").is_none() && claims.get("user_id").is_none(), "{claims}");
}

#[test]
fn without_a_question_it_gets_its_whole_scope_but_no_right_at_the_authority() {
    let signet = InProcess::new();
    let client =
        signet.client_like("watcher", |new| new.scope = ScopeSet::parse("read signet:watch").unwrap());
    assert_eq!(signet.grant(&client, asked(None, None)).unwrap().scope, "read");
    assert_eq!(signet.grant(&client, asked(Some("signet:watch"), None)).unwrap().scope, "signet:watch");
}

#[test]
fn it_gets_nothing_that_it_was_not_registered_for() {
    let signet = InProcess::new();
    let client = signet.client("billing");
    let nowhere = signet.client_like("nowhere", |new| new.audiences.clear());
    let other_grant = signet.client_like("other", |new| new.grants = vec![GrantType::RefreshToken]);
    let refused = |client, scope, audience| signet.grant(client, asked(scope, audience)).err().unwrap();
    for scope in ["read admin", "admin", "re\"ad"] {
        assert_eq!(
            refused(&client, Some(scope), None),
            ErrorKind::OAuth(OAuthFault::InvalidScope),
            "{scope}"
        );
    }
    assert_eq!(refused(&client, None, Some("mail")), ErrorKind::OAuth(OAuthFault::InvalidTarget));
    assert_eq!(refused(&nowhere, None, None), ErrorKind::OAuth(OAuthFault::InvalidTarget));
    assert_eq!(refused(&other_grant, None, None), ErrorKind::OAuth(OAuthFault::UnauthorizedClient));
}

#[test]
fn its_token_ends_with_the_second_of_its_exp() {
    let signet = InProcess::new();
    let token = signet.client_token(&signet.client("billing"));
    signet.clock.advance(Duration::from_millis(299_999));
    assert_eq!(signet.verify(&token), Ok(()));
    signet.clock.advance(Duration::from_millis(1));
    assert_eq!(signet.verify(&token), Err(EXPIRED));
}
