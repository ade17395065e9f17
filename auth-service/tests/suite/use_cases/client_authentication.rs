use std::time::Duration;

use auth_service::authority::Authentication;
use auth_service::clients::ClientAuthentication;
use auth_service::error::{ErrorKind, OAuthFault};
use auth_service::secret::PlainSecret;

use super::InProcess;

/// Whether a client is proved; `None` where it may be a new one.
fn proved(signet: &InProcess, id: &str, secret: &PlainSecret) -> Result<bool, ErrorKind> {
    let presented = ClientAuthentication::Secret { unverified_id: id.to_owned(), secret: secret.clone() };
    match signet.authority.authenticate_client(&presented) {
        Ok(Authentication::Proved(client)) => Ok(client.id.as_str() == id),
        Ok(Authentication::MaybeNew(refused)) => {
            assert_eq!(refused.kind, ErrorKind::OAuth(OAuthFault::InvalidClient));
            Ok(false)
        }
        Ok(Authentication::NeedsKeys(location)) => panic!("keys at {location}"),
        Err(error) => Err(error.kind),
    }
}

#[test]
fn a_client_is_proved_by_its_secret() {
    let signet = InProcess::new();
    let (_, secret) = signet.client_and_secret("web", |_| {});
    let (_, of_other) = signet.client_and_secret("other", |_| {});
    assert_eq!(proved(&signet, "web", &secret), Ok(true));
    assert_eq!(proved(&signet, "web", &of_other), Ok(false));
    assert_eq!(proved(&signet, "web", &PlainSecret::new(String::new())), Ok(false));
    assert_eq!(proved(&signet, "nobody", &secret), Ok(false));
    let malformed = proved(&signet, "no such id\n", &secret);
    assert_eq!(malformed, Err(ErrorKind::OAuth(OAuthFault::InvalidClient)), "it cannot become one");
}

#[test]
fn the_client_behind_simplejwts_endpoints_authenticates_nowhere() {
    let signet = InProcess::new();
    let id = signet.first_party().id.to_string();
    assert_eq!(proved(&signet, &id, &PlainSecret::new(String::new())), Ok(false));
}

#[test]
fn an_old_secret_is_good_until_the_end_of_the_overlap() {
    let signet = InProcess::new();
    let (client, old) = signet.client_and_secret("web", |_| {});
    let new = signet.authority.renew_client_secret(&client.id, Duration::from_secs(60)).unwrap();
    signet.see_changes();
    signet.clock.advance(Duration::from_millis(59_999));
    assert_eq!(proved(&signet, "web", &old), Ok(true));
    assert_eq!(proved(&signet, "web", &new), Ok(true));
    signet.clock.advance(Duration::from_millis(1));
    assert_eq!(proved(&signet, "web", &old), Ok(false));
    assert_eq!(proved(&signet, "web", &new), Ok(true));
}

#[test]
fn a_disabled_client_is_refused() {
    let signet = InProcess::new();
    let (client, secret) = signet.client_and_secret("web", |_| {});
    signet.authority.disable_client(&client.id).unwrap();
    signet.see_changes();
    assert_eq!(proved(&signet, "web", &secret), Ok(false));
}
