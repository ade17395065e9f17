use std::time::Duration;

use auth_service::authority::account::Caller;
use auth_service::authority::grants::Grant;
use auth_service::error::{AccountFault, ErrorKind, OAuthFault, SignInFault};
use auth_service::secret::PlainSecret;
use totp_rs::{Builder, Secret};

use super::{EXPIRED, InProcess, PASSWORD, Pair, REVOKED, context, password_grant};

const NEW_PASSWORD: &str = "a longer and better password";
const WRONG: ErrorKind = ErrorKind::SignIn(SignInFault::InvalidCredentials);

fn plain(text: &str) -> PlainSecret {
    PlainSecret::new(text.to_owned())
}

/// Who calls with the refresh token of a session.
fn caller(signet: &InProcess, pair: &Pair) -> Caller {
    let token = signet.authority.issue_account_token(&pair.refresh).unwrap().access_token;
    signet.authority.authenticate_caller(&token, &context()).unwrap()
}

#[test]
fn only_a_token_for_the_account_api_opens_it() {
    let signet = InProcess::new();
    signet.user("alice");
    let pair = signet.log_in(&signet.first_party(), "alice");
    let open =
        |token: &str| signet.authority.authenticate_caller(token, &context()).map_err(|error| error.kind);
    assert_eq!(open(&pair.access).err().unwrap(), ErrorKind::OAuth(OAuthFault::UnauthorizedClient));
    let token = signet.authority.issue_account_token(&pair.refresh).unwrap().access_token;
    assert!(open(&token).is_ok());
    assert!(signet.refresh(&signet.first_party(), &pair.refresh).is_ok(), "the refresh token was not spent");
    let refused = signet.authority.issue_account_token(&pair.access).err().unwrap().kind;
    assert_eq!(refused, super::WRONG_TYPE);
    signet.clock.advance(Duration::from_secs(300));
    assert_eq!(open(&token).err().unwrap(), EXPIRED);
}

#[test]
fn a_password_is_changed_by_anyone_who_knows_it_and_other_sessions_end() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let (own, other) = (signet.log_in(&client, "alice"), signet.log_in(&client, "alice"));
    let caller = caller(&signet, &own);
    let change = |present: &str, new: &str| {
        signet.authority.change_password(&caller, &plain(present), &plain(new)).map_err(|error| error.kind)
    };
    assert_eq!(change("wrong", NEW_PASSWORD), Err(WRONG));
    for weak in ["short", "password1", "alice"] {
        let refused = change(PASSWORD, weak);
        assert!(matches!(refused, Err(ErrorKind::Account(AccountFault::PasswordRefused(_)))), "{weak}");
    }
    assert_eq!(change(PASSWORD, NEW_PASSWORD), Ok(1));
    assert_eq!(signet.refresh(&client, &other.refresh).err().unwrap(), REVOKED);
    assert!(signet.refresh(&client, &own.refresh).is_ok());
    assert!(signet.grant(&client, password_grant("alice", NEW_PASSWORD)).is_ok());
    assert_eq!(signet.grant(&client, password_grant("alice", PASSWORD)).err().unwrap(), WRONG);
}

#[test]
fn users_see_and_end_their_own_sessions_and_nobody_elses() {
    let signet = InProcess::new();
    signet.user("alice");
    signet.user("bob");
    let client = signet.first_party();
    let pairs: Vec<Pair> = (0..3).map(|_| signet.log_in(&client, "alice")).collect();
    let of_bob = caller(&signet, &signet.log_in(&client, "bob"));
    let alice = caller(&signet, &pairs[0]);
    assert_eq!(signet.authority.sessions_of(&alice).unwrap().len(), 3);
    let end = |id: &str| signet.authority.end_own_session(&alice, id).map_err(|error| error.kind);
    let none = Err(ErrorKind::Account(AccountFault::NotFound));
    assert_eq!(end(&of_bob.session_id), none, "another user's");
    assert_eq!(end("no id"), none);
    let second = caller(&signet, &pairs[1]).session_id;
    assert_eq!(end(&second), Ok(()));
    assert_eq!(end(&second), none, "it has ended");
    assert_eq!(signet.verify(&pairs[1].access), Err(REVOKED));
    assert_eq!(signet.authority.end_other_sessions(&alice).unwrap(), 1);
    assert_eq!(signet.verify(&pairs[2].access), Err(REVOKED));
    assert_eq!(signet.verify(&pairs[0].access), Ok(()));
    assert_eq!(signet.authority.sessions_of(&of_bob).unwrap().len(), 1);
}

/// The code that an app shows at the time of the authority.
pub(crate) fn code(signet: &InProcess, secret: &PlainSecret) -> PlainSecret {
    let secret = Secret::try_from_base32(secret.expose()).unwrap();
    let totp = Builder::new().with_secret(secret).with_account_name("alice").build().unwrap();
    PlainSecret::new(totp.generate(signet.authority.now().seconds()).to_string())
}

/// Gives a user a second factor: its secret.
pub(crate) fn enroll(signet: &InProcess, username: &str) -> PlainSecret {
    let pair = signet.log_in(&signet.first_party(), username);
    let caller = caller(signet, &pair);
    let begun =
        signet.authority.begin_second_factor(&caller, &plain(PASSWORD)).map_err(|error| error.kind).unwrap();
    signet
        .authority
        .confirm_second_factor(&caller, &code(signet, &begun.secret))
        .map_err(|error| error.kind)
        .unwrap();
    // The next step of the clock: the one of the confirmation is spent.
    signet.clock.advance(Duration::from_secs(30));
    begun.secret
}

#[test]
fn a_second_factor_is_asked_for_once_it_was_confirmed_and_each_code_is_good_once() {
    let signet = InProcess::new();
    signet.user("alice");
    let client = signet.first_party();
    let (own, other) = (signet.log_in(&client, "alice"), signet.log_in(&client, "alice"));
    let caller = caller(&signet, &own);
    let begun = signet.authority.begin_second_factor(&caller, &plain(PASSWORD)).map_err(|error| error.kind);
    let secret = begun.unwrap().secret;
    assert!(signet.grant(&client, password_grant("alice", PASSWORD)).is_ok(), "it was not confirmed yet");
    let wrong = signet.authority.confirm_second_factor(&caller, &plain("000000")).map_err(|error| error.kind);
    assert_eq!(wrong.err().unwrap(), WRONG);
    let recovery = signet.authority.confirm_second_factor(&caller, &code(&signet, &secret)).unwrap();
    assert_eq!(signet.verify(&other.refresh), Err(REVOKED), "sessions of the password alone end");
    assert_eq!(signet.verify(&own.refresh), Ok(()));

    let with = |otp: Option<&PlainSecret>| {
        let Grant::Password(mut grant) = password_grant("alice", PASSWORD) else {
            panic!("a password grant")
        };
        grant.credentials.otp = otp.cloned();
        signet.grant(&client, Grant::Password(grant)).map(drop)
    };
    assert_eq!(with(None), Err(ErrorKind::SignIn(SignInFault::SecondFactorRequired)));
    assert_eq!(with(Some(&plain("000000"))), Err(WRONG));
    assert_eq!(with(Some(&code(&signet, &secret))), Err(WRONG), "the one that confirmed it is spent");
    signet.clock.advance(Duration::from_secs(30));
    assert_eq!(with(Some(&code(&signet, &secret))), Ok(()));
    assert_eq!(with(Some(&code(&signet, &secret))), Err(WRONG), "spent");
    assert_eq!(with(Some(&recovery[0])), Ok(()));
    assert_eq!(with(Some(&recovery[0])), Err(WRONG), "spent");

    let remove = |otp: Option<&PlainSecret>| {
        signet.authority.remove_second_factor(&caller, &plain(PASSWORD), otp).map_err(|error| error.kind)
    };
    assert_eq!(remove(None), Err(ErrorKind::SignIn(SignInFault::SecondFactorRequired)));
    assert_eq!(remove(Some(&recovery[1])), Ok(()));
    assert_eq!(with(None), Ok(()));
    assert_eq!(remove(None), Err(ErrorKind::Account(AccountFault::Conflict)), "there is none");
}

#[test]
fn without_a_mail_server_nothing_that_needs_one_is_offered() {
    let signet = InProcess::new();
    signet.user("alice");
    let reset = signet.authority.ask_for_reset("alice@example.org", &context()).err().unwrap();
    assert_eq!(reset.kind, ErrorKind::Account(AccountFault::NotOffered));
    let forged = signet.authority.reset_password("a.b.c", &plain(NEW_PASSWORD), &context()).err().unwrap();
    assert_eq!(forged.kind, ErrorKind::Account(AccountFault::LinkInvalid));
}
