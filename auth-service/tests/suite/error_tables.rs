//! The four error tables, side by side.

use auth_service::error::{AccountFault, ErrorKind, OAuthFault, SignInFault, TokenFault};
use auth_service::grpc::grpc_error;
use auth_service::http::{account_error, oauth_error, simplejwt_error};

use crate::architecture::workspace;

/// Prints what every failure becomes at each protocol, and holds what must be true of all of them.
#[test]
fn every_failure_has_one_place_in_each_table() {
    println!(
        "{:<46} {:<4} {:<24} {:<4} {:<4} {:<20} {:<18}",
        "failure", "HTTP", "code", "DRF", "API", "code", "gRPC"
    );
    for kind in ErrorKind::ALL {
        let (oauth, word, description) = oauth_error(kind);
        let (drf, body) = simplejwt_error(kind);
        let (account, account_code, detail) = account_error(kind);
        let (code, grpc_word) = grpc_error(kind);
        println!(
            "{:<46} {:<4} {word:<24} {:<4} {:<4} {account_code:<20} {code:<18?}",
            format!("{kind:?}"),
            oauth.as_u16(),
            drf.as_u16(),
            account.as_u16(),
        );
        assert_eq!(word, grpc_word, "both protocols use one error code");
        assert!(!description.is_empty() && body["detail"].is_string() && !detail.is_empty());

        let retry = matches!(kind, ErrorKind::Overloaded | ErrorKind::Unavailable);
        for status in [oauth, drf, account] {
            assert_eq!(status.as_u16() == 503, retry, "{kind:?}");
            assert_eq!(status.as_u16() == 429, matches!(kind, ErrorKind::TooManyAttempts(_)), "{kind:?}");
            assert_eq!(
                status.is_server_error() && !retry,
                kind == ErrorKind::Internal,
                "only a defect is a 500"
            );
        }
    }
}

/// A kind that `ALL` forgets would be missing from every comparison.
#[test]
fn the_list_of_kinds_is_complete() {
    let count = |family: fn(&ErrorKind) -> bool| ErrorKind::ALL.iter().filter(|kind| family(kind)).count();
    // By exhaustive matches: a new variant does not compile until it is counted here.
    let oauth = |fault: OAuthFault| match fault {
        OAuthFault::InvalidClient
        | OAuthFault::UnauthorizedClient
        | OAuthFault::UnsupportedGrantType
        | OAuthFault::InvalidScope
        | OAuthFault::InvalidTarget
        | OAuthFault::UnsupportedTokenType
        | OAuthFault::InvalidGrant(_)
        | OAuthFault::AuthorizationPending
        | OAuthFault::SlowDown
        | OAuthFault::AccessDenied
        | OAuthFault::ExpiredDeviceCode
        | OAuthFault::InvalidDpopProof
        | OAuthFault::UseDpopNonce => 13,
    };
    let sign_in = |fault: SignInFault| match fault {
        SignInFault::InvalidCredentials
        | SignInFault::AccountInactive
        | SignInFault::SecondFactorRequired => 3,
    };
    let token = |fault: TokenFault| match fault {
        TokenFault::Invalid
        | TokenFault::Expired
        | TokenFault::WrongType
        | TokenFault::Revoked
        | TokenFault::RefreshEnded
        | TokenFault::Missing(_) => 8,
    };
    let account = |fault: AccountFault| match fault {
        AccountFault::PasswordRefused(_)
        | AccountFault::LinkInvalid
        | AccountFault::NotOffered
        | AccountFault::Conflict
        | AccountFault::NotFound => 5,
    };
    assert_eq!(count(|kind| matches!(kind, ErrorKind::OAuth(_))), oauth(OAuthFault::InvalidClient));
    assert_eq!(count(|kind| matches!(kind, ErrorKind::SignIn(_))), sign_in(SignInFault::AccountInactive));
    assert_eq!(count(|kind| matches!(kind, ErrorKind::Token(_))), token(TokenFault::Expired));
    assert_eq!(count(|kind| matches!(kind, ErrorKind::Account(_))), account(AccountFault::Conflict));
}

/// Anyone who reads an error code finds it in the documents.
#[test]
fn every_error_code_is_in_the_documents() {
    let page = |name: &str| std::fs::read_to_string(workspace().join("docs").join(name)).unwrap();
    let (http, grpc) = (page("http-api.md"), page("grpc-api.md"));
    let mut missing = Vec::new();
    for kind in ErrorKind::ALL {
        let (_, oauth, _) = oauth_error(kind);
        let (_, account, _) = account_error(kind);
        let (status, _) = grpc_error(kind);
        let status = status_name(status);
        let codes = [(&http, oauth), (&http, account), (&grpc, status.as_str())];
        missing.extend(
            codes
                .into_iter()
                .filter(|(page, code)| !page.contains(&format!("`{code}`")))
                .map(|(_, code)| code.to_owned()),
        );
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "error codes that no document names: {}", missing.join(", "));
}

/// As the protocol spells it, `INVALID_ARGUMENT`.
fn status_name(code: tonic::Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
