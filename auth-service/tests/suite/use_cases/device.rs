//! Logins of devices without a browser (RFC 8628).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other page fails the test, also one that comes later"
)]

use auth_service::authority::authorize::{DevicePage, Outcome, Page};
use auth_service::authority::grants::{DeviceAuthorization, DeviceCodes};
use auth_service::error::OAuthFault;

use super::login::{Chrome, sign_in};
use super::*;

const DEVICE: GrantType = GrantType::DeviceCode;

pub(crate) fn tv(at: &InProcess) -> Arc<Client> {
    at.client_like("tv", |new| {
        new.grants = vec![DEVICE, GrantType::RefreshToken];
        new.scope = ScopeSet::parse("openid offline_access read").unwrap();
    })
}

pub(crate) fn asks(at: &InProcess, client: &Client, scope: Option<&str>) -> Result<DeviceCodes, ErrorKind> {
    let asked = DeviceAuthorization { scope: scope.map(str::to_owned), audience: None, context: context() };
    at.authority.authorize_device(client, &asked).map_err(|error| error.kind)
}

pub(crate) fn polls(
    at: &InProcess,
    client: &Arc<Client>,
    codes: &DeviceCodes,
) -> Result<IssuedTokens, ErrorKind> {
    at.grant(client, Grant::DeviceCode { device_code: codes.device_code.clone(), context: context() })
}

fn fault(outcome: Result<IssuedTokens, ErrorKind>) -> OAuthFault {
    match outcome.map(|_| ()) {
        Err(ErrorKind::OAuth(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn decided(outcome: Outcome) -> DevicePage {
    match outcome {
        Outcome::Page(Page::Device(page)) => page,
        other => panic!("{other:?}"),
    }
}

/// A user logs in with the code of a device and answers the question.
pub(crate) fn decides(browser: &mut Chrome<'_>, codes: &DeviceCodes, allows: bool) -> DevicePage {
    let page = match browser.enter(&codes.user_code.to_lowercase()) {
        Outcome::Page(Page::Consent(page)) => page,
        first => match browser.password(&sign_in(first), "alice", PASSWORD) {
            Outcome::Page(Page::Consent(page)) => page,
            other => panic!("{other:?}"),
        },
    };
    let device = page.device.unwrap();
    assert_eq!((device.user_code.as_str(), device.client_ip.as_str()), (codes.user_code.as_str(), CLIENT_IP));
    decided(browser.consent(&page.interaction, allows))
}

#[test]
fn a_device_gets_what_its_user_allows_and_nothing_before() {
    let at = InProcess::new();
    let client = tv(&at);
    let id = at.user("alice");
    let codes = asks(&at, &client, Some("openid offline_access")).unwrap();
    assert_eq!((codes.expires_in.as_secs(), codes.interval.as_secs()), (600, 5));
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::AuthorizationPending);
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::SlowDown, "at once");
    at.clock.advance(Duration::from_secs(9));
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::SlowDown, "five seconds longer");
    at.clock.advance(Duration::from_secs(15));
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::AuthorizationPending);
    let mut browser = Chrome::new(&at);
    assert!(matches!(decides(&mut browser, &codes, true), DevicePage::Allowed));
    at.clock.advance(Duration::from_secs(15));
    let issued = polls(&at, &client, &codes).unwrap();
    let id_token = claims(issued.id_token.as_deref().unwrap());
    assert_eq!((id_token["sub"].as_str(), id_token["aud"].as_str()), (Some(id.as_str()), Some("tv")));
    assert_eq!(at.verify(&issued.access_token), Ok(()));
    at.refresh(&client, issued.refresh_token.as_deref().unwrap()).unwrap();
    // A second one with the same code: the device is not alone any more.
    at.clock.advance(Duration::from_secs(20));
    assert!(matches!(fault(polls(&at, &client, &codes)), OAuthFault::InvalidGrant(_)));
    assert_eq!(at.verify(&issued.access_token), Err(REVOKED));
}

#[test]
fn each_device_is_asked_about_also_when_the_user_is_logged_in() {
    let at = InProcess::new();
    let client = tv(&at);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    for _ in 0..2 {
        let codes = asks(&at, &client, None).unwrap();
        assert!(matches!(decides(&mut browser, &codes, true), DevicePage::Allowed));
    }
}

#[test]
fn a_refusal_an_expired_code_and_a_foreign_one_are_told() {
    let at = InProcess::new();
    let client = tv(&at);
    let other = at.client_like("radio", |new| new.grants = vec![DEVICE]);
    at.user("alice");
    let refused = asks(&at, &client, None).unwrap();
    assert!(matches!(decides(&mut Chrome::new(&at), &refused, false), DevicePage::Denied));
    assert_eq!(fault(polls(&at, &client, &refused)), OAuthFault::AccessDenied);
    let again = decided(Chrome::new(&at).enter(&refused.user_code));
    assert!(matches!(again, DevicePage::Enter { is_wrong: true, .. }), "decided once");
    let late = asks(&at, &client, None).unwrap();
    assert!(matches!(fault(polls(&at, &other, &late)), OAuthFault::InvalidGrant(_)));
    at.clock.advance(Duration::from_secs(600));
    assert_eq!(fault(polls(&at, &client, &late)), OAuthFault::ExpiredDeviceCode);
    assert!(matches!(
        decided(Chrome::new(&at).enter(&late.user_code)),
        DevicePage::Enter { is_wrong: true, .. }
    ));
    let unknown = DeviceCodes { device_code: PlainSecret::generate().unwrap(), ..late };
    assert!(matches!(fault(polls(&at, &client, &unknown)), OAuthFault::InvalidGrant(_)));
    let web = at.client("web");
    assert_eq!(asks(&at, &web, None).map(|_| ()), Err(ErrorKind::OAuth(OAuthFault::UnauthorizedClient)));
    assert_eq!(
        asks(&at, &client, Some("admin")).map(|_| ()),
        Err(ErrorKind::OAuth(OAuthFault::InvalidScope))
    );
}

#[test]
fn a_user_who_is_disabled_or_logs_out_before_the_device_asks_gives_it_nothing() {
    let at = InProcess::new();
    let client = tv(&at);
    at.user("alice");
    let codes = asks(&at, &client, None).unwrap();
    assert!(matches!(decides(&mut Chrome::new(&at), &codes, true), DevicePage::Allowed));
    at.authority.disable_user("alice").map_err(|error| error.cause).unwrap();
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::AccessDenied);
}

#[test]
fn guesses_at_user_codes_and_requests_of_devices_are_limited() {
    let at = InProcess::new();
    let client = tv(&at);
    let wrong = "BBBB-BBBB";
    for _ in 0..10 {
        assert!(matches!(decided(Chrome::new(&at).enter(wrong)), DevicePage::Enter { is_wrong: true, .. }));
    }
    let limited = at.authority.submit_user_code(wrong, &Chrome::new(&at).browser());
    assert!(matches!(limited.map_err(|error| error.kind).err(), Some(ErrorKind::TooManyAttempts(_))));
    let outcomes: Vec<bool> = (0..201).map(|_| asks(&at, &client, None).is_ok()).collect();
    assert_eq!(outcomes.iter().filter(|asked| **asked).count(), 200);
    assert!(!outcomes[200]);
}

#[test]
fn what_is_withdrawn_before_the_device_asks_gives_it_nothing() {
    let at = InProcess::new();
    let client = tv(&at);
    at.user("alice");
    let codes = asks(&at, &client, None).unwrap();
    assert!(matches!(decides(&mut Chrome::new(&at), &codes, true), DevicePage::Allowed));
    let withdrawn = at.authority.withdraw_consent("alice", &client.id).map_err(|error| error.kind);
    assert_eq!(withdrawn, Ok(0));
    assert_eq!(fault(polls(&at, &client, &codes)), OAuthFault::AccessDenied);
}
