//! Logins in a browser: from an authorization request to tokens, and out again.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "any other page fails the test, also one that comes later"
)]

use auth_service::authority::authorize::{
    Answer, Browser, ChosenAccount, ClientResponse, Logout, LogoutRequest, Outcome, Page, Parameters,
    Problem, RecipientFault, SecondFactorPage, Stopped, Submitted,
};
use auth_service::authority::grants::AuthorizationCodeGrant;
use auth_service::authority::sync::SweepPolicy;
use auth_service::browser_sessions::Tickets;
use auth_service::clients::{Pkce, RedirectUri};
use auth_service::error::OAuthFault;
use aws_lc_rs::digest;

use super::*;

const CALLBACK: &str = "https://app.example.com/callback";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()))
}

/// One browser and the pages that it has open.
pub(crate) struct Chrome<'a> {
    at: &'a InProcess,
    pub tickets: Tickets,
    pub binding: Option<PlainSecret>,
}

impl<'a> Chrome<'a> {
    pub(crate) fn new(at: &'a InProcess) -> Self {
        Self { at, tickets: Tickets::default(), binding: None }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser { tickets: self.tickets.clone(), binding: self.binding.clone(), context: context() }
    }

    fn take(&mut self, answer: Answer) -> Outcome {
        self.tickets = answer.tickets.unwrap_or_else(|| self.tickets.clone());
        self.binding = answer.binding.or_else(|| self.binding.clone());
        answer.outcome
    }

    pub(crate) fn authorize(&mut self, more: &[(&str, &str)]) -> Outcome {
        self.request(&request(more))
    }

    fn request(&mut self, pairs: &[(String, String)]) -> Outcome {
        let step = self.at.authority.authorize(Parameters::new(pairs.to_vec()), self.browser());
        let answer = step.and_then(|step| step.complete(&self.at.authority)).map_err(|error| error.cause);
        self.take(answer.unwrap())
    }

    fn submitted(&self, interaction: &str) -> Submitted {
        Submitted { unverified_interaction: interaction.to_owned(), browser: self.browser() }
    }

    pub(crate) fn password(&mut self, interaction: &str, username: &str, password: &str) -> Outcome {
        let submitted = self.submitted(interaction);
        let password = PlainSecret::new(password.to_owned());
        let answer = self.at.authority.submit_password(&submitted, username.to_owned(), password);
        self.take(answer.map_err(|error| error.cause).unwrap())
    }

    fn account(&mut self, interaction: &str, chosen: ChosenAccount) -> Outcome {
        let answer = self.at.authority.submit_account(&self.submitted(interaction), chosen);
        self.take(answer.map_err(|error| error.cause).unwrap())
    }

    pub(crate) fn consent(&mut self, interaction: &str, allows: bool) -> Outcome {
        let answer = self.at.authority.submit_consent(&self.submitted(interaction), allows);
        self.take(answer.map_err(|error| error.cause).unwrap())
    }

    /// The code of a device.
    pub(crate) fn enter(&mut self, user_code: &str) -> Outcome {
        let answer = self.at.authority.submit_user_code(user_code, &self.browser());
        self.take(answer.map_err(|error| error.cause).unwrap())
    }

    /// Logs in from the first page to the code.
    pub(crate) fn log_in(&mut self, username: &str, more: &[(&str, &str)]) -> ClientResponse {
        let page = sign_in(self.authorize(more));
        match self.password(&page, username, PASSWORD) {
            Outcome::Page(Page::Consent(page)) => response(self.consent(&page.interaction, true)),
            other => response(other),
        }
    }

    /// Shows the right password: the page that asks for the second factor.
    fn comes_to_second_factor(&mut self, username: &str) -> SecondFactorPage {
        let page = sign_in(self.authorize(&[]));
        match self.password(&page, username, PASSWORD) {
            Outcome::Page(Page::SecondFactor(page)) => page,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn log_out(&mut self, request: LogoutRequest) -> Logout {
        let answer = self.at.authority.request_logout(request, &self.browser());
        let answer = answer.map_err(|error| error.cause).unwrap();
        self.tickets = answer.tickets.unwrap_or_else(|| self.tickets.clone());
        self.binding = answer.binding.or_else(|| self.binding.clone());
        answer.outcome
    }
}

fn request(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = challenge();
    let mut pairs: Vec<(&str, &str)> = vec![
        ("client_id", "web"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("state", "a state"),
        ("nonce", "a nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in more {
        pairs.retain(|(held, _)| held != name);
        pairs.push((name, value));
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(crate) fn sign_in(outcome: Outcome) -> String {
    match outcome {
        Outcome::Page(Page::SignIn(page)) => page.interaction,
        other => panic!("no login page: {other:?}"),
    }
}

pub(crate) fn response(outcome: Outcome) -> ClientResponse {
    match outcome {
        Outcome::ToClient(response) => response,
        other => panic!("nothing for the client: {other:?}"),
    }
}

fn parameter<'a>(response: &'a ClientResponse, name: &str) -> Option<&'a str> {
    response.parameters.iter().find(|(held, _)| *held == name).map(|(_, value)| value.as_str())
}

pub(crate) fn code(response: &ClientResponse) -> &str {
    parameter(response, "code").unwrap_or_else(|| panic!("no code: {:?}", response.parameters))
}

fn error(outcome: Outcome) -> String {
    let response = response(outcome);
    parameter(&response, "error").unwrap_or_else(|| panic!("no error: {:?}", response.parameters)).to_owned()
}

pub(crate) fn web(new: &mut NewClient) {
    new.grants = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    new.scope = ScopeSet::parse("openid profile email offline_access read").unwrap();
    new.login.redirect_uris = vec![RedirectUri::parse(CALLBACK).unwrap()];
    new.login.post_logout_redirect_uris = vec![RedirectUri::parse("https://app.example.com/bye").unwrap()];
}

pub(crate) fn code_grant(code: &str) -> AuthorizationCodeGrant {
    AuthorizationCodeGrant {
        unverified_code: code.to_owned(),
        redirect_uri: Some(CALLBACK.to_owned()),
        verifier: Some(PlainSecret::new(VERIFIER.to_owned())),
        context: context(),
    }
}

pub(crate) fn redeem(at: &InProcess, client: &Arc<Client>, code: &str) -> Result<IssuedTokens, ErrorKind> {
    at.grant(client, Grant::AuthorizationCode(Box::new(code_grant(code))))
}

fn is_invalid_grant(outcome: Result<IssuedTokens, ErrorKind>) -> bool {
    matches!(outcome.map(|_| ()), Err(ErrorKind::OAuth(OAuthFault::InvalidGrant(_))))
}

#[test]
fn a_user_logs_in_allows_and_is_known_at_the_client() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    let id = at.user("alice");
    let mut browser = Chrome::new(&at);
    let page = sign_in(browser.authorize(&[]));
    let Outcome::Page(Page::Consent(consent)) = browser.password(&page, "alice", PASSWORD) else { panic!() };
    assert_eq!((consent.username.as_str(), consent.client.host.as_str()), ("alice", "app.example.com"));
    assert_eq!(consent.scope, ["email", "openid", "profile"]);
    let answer = response(browser.consent(&consent.interaction, true));
    assert_eq!(
        (parameter(&answer, "state"), parameter(&answer, "iss")),
        (Some("a state"), Some("http://127.0.0.1:8080"))
    );
    assert!(answer.location().starts_with("https://app.example.com/callback?code="));
    let issued = redeem(&at, &client, code(&answer)).unwrap();
    let id_token = claims(issued.id_token.as_deref().unwrap());
    assert_eq!((id_token["sub"].as_str(), id_token["aud"].as_str()), (Some(id.as_str()), Some("web")));
    assert_eq!((id_token["nonce"].as_str(), id_token["acr"].as_str()), (Some("a nonce"), Some("1")));
    assert_eq!(header(issued.id_token.as_deref().unwrap())["alg"], "RS256");
    let access = claims(&issued.access_token);
    assert_eq!((access["sub"].as_str(), access["aud"].as_str()), (Some(id.as_str()), Some("notes")));
    assert_eq!(issued.refresh_token, None, "without offline_access there is none");
    let userinfo = at.userinfo(&issued.access_token).map_err(|error| error.cause).unwrap();
    assert_eq!(userinfo["sub"], id);
    assert_eq!(userinfo["preferred_username"], "alice");

    // Known consent and a live browser session: nothing is shown any more.
    let again = response(browser.authorize(&[("prompt", "none")]));
    let again = redeem(&at, &client, code(&again)).unwrap();
    let again = claims(again.id_token.as_deref().unwrap());
    assert_eq!((&again["auth_time"], &again["sid"]), (&id_token["auth_time"], &id_token["sid"]));
}

#[test]
fn a_code_is_good_once_for_its_client_its_redirect_uri_and_its_verifier() {
    let at = InProcess::new();
    let (client, other) = (at.client_like("web", web), at.client_like("other", web));
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let answer = browser.log_in("alice", &[("scope", "openid offline_access")]);
    let good = code(&answer);
    // None of these spends it.
    assert!(is_invalid_grant(redeem(&at, &other, good)));
    let wrong = |change: fn(&mut AuthorizationCodeGrant)| {
        let mut grant = code_grant(good);
        change(&mut grant);
        is_invalid_grant(at.grant(&client, Grant::AuthorizationCode(Box::new(grant))))
    };
    assert!(wrong(|grant| grant.redirect_uri = None));
    assert!(wrong(|grant| grant.redirect_uri = Some("https://app.example.com/".to_owned())));
    assert!(wrong(|grant| grant.verifier = None));
    assert!(wrong(|grant| grant.verifier = Some(PlainSecret::new("x".repeat(50)))));
    assert!(wrong(|grant| grant.unverified_code.push('A')));
    let issued = redeem(&at, &client, good).unwrap();
    assert_eq!(at.verify(&issued.access_token), Ok(()));
    // A second time: the session is no longer the client's alone.
    assert!(is_invalid_grant(redeem(&at, &client, good)));
    assert_eq!(at.verify(&issued.access_token), Err(REVOKED));
    let refreshed = at.refresh(&client, issued.refresh_token.as_deref().unwrap());
    assert_eq!(refreshed.map(|_| ()), Err(REVOKED));
    at.clock.advance(Duration::from_secs(61));
    let late = response(browser.authorize(&[("scope", "openid")]));
    at.clock.advance(Duration::from_secs(60));
    assert!(is_invalid_grant(redeem(&at, &client, code(&late))), "it has expired");
}

#[test]
fn a_page_that_is_sent_twice_gives_two_codes_that_are_good() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let page = sign_in(browser.authorize(&[]));
    let Outcome::Page(Page::Consent(consent)) = browser.password(&page, "alice", PASSWORD) else { panic!() };
    let first = response(browser.consent(&consent.interaction, true));
    let second = response(browser.consent(&consent.interaction, true));
    let tokens = [first, second].map(|answer| redeem(&at, &client, code(&answer)).unwrap().access_token);
    assert!(tokens.iter().all(|token| at.verify(token) == Ok(())));
}

#[test]
fn wrong_passwords_are_counted_and_the_page_is_shown_again_with_the_name() {
    let at = InProcess::with(|settings| settings.limits.pair = 2);
    at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let page = sign_in(browser.authorize(&[]));
    let mut problems = Vec::new();
    for _ in 0..3 {
        let Outcome::Page(Page::SignIn(again)) = browser.password(&page, "alice", "wrong") else { panic!() };
        assert_eq!(again.username, "alice");
        problems.push(again.problem.unwrap());
    }
    assert_eq!(problems[..2], [Problem::WrongCredentials; 2]);
    assert!(matches!(problems[2], Problem::TooManyAttempts(_)));
    assert!(browser.tickets.is_empty());
}

#[test]
fn nothing_is_sent_to_what_is_not_registered() {
    let at = InProcess::new();
    at.client_like("web", web);
    let disabled = at.client_like("gone", web);
    at.authority.disable_client(&disabled.id).map_err(|error| error.cause).unwrap();
    at.see_changes();
    let mut browser = Chrome::new(&at);
    let mut stopped = |more: &[(&str, &str)]| match browser.authorize(more) {
        Outcome::Page(Page::Stopped(Stopped::Recipient(fault))) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(stopped(&[("client_id", "")]), RecipientFault::NoClient);
    assert_eq!(stopped(&[("client_id", "nobody")]), RecipientFault::UnknownClient);
    assert_eq!(stopped(&[("client_id", "gone")]), RecipientFault::UnknownClient);
    assert_eq!(stopped(&[("redirect_uri", "")]), RecipientFault::NoRedirectUri);
    let other = "https://evil.example/callback";
    assert_eq!(stopped(&[("redirect_uri", other)]), RecipientFault::UnregisteredRedirectUri);
    assert_eq!(
        stopped(&[("redirect_uri", other), ("prompt", "none")]),
        RecipientFault::UnregisteredRedirectUri
    );
    for twice in ["client_id", "redirect_uri"] {
        let mut pairs = request(&[]);
        pairs.push((twice.to_owned(), "x".to_owned()));
        let outcome = Chrome::new(&at).request(&pairs);
        let malformed = Stopped::Recipient(RecipientFault::Malformed);
        assert!(matches!(outcome, Outcome::Page(Page::Stopped(fault)) if fault == malformed), "{twice}");
    }
}

#[test]
fn a_client_is_told_what_is_wrong_with_its_request() {
    let at = InProcess::new();
    at.client_like("web", web);
    at.client_like("lax", |new| {
        web(new);
        new.login.pkce = Pkce::Optional;
    });
    let told = |more: &[(&str, &str)]| error(Chrome::new(&at).authorize(more));
    let long = "x".repeat(5000);
    for (more, expected) in [
        (&[("response_type", "")][..], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("scope", "openid admin")], "invalid_scope"),
        (&[("scope", "openid \"")], "invalid_scope"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("prompt", "none")], "login_required"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("max_age", "1.5")], "invalid_request"),
        (&[("max_age", "99999999999")], "invalid_request"),
        (&[("claims", "{")], "invalid_request"),
        (&[("id_token_hint", "x.y.z")], "invalid_request"),
        (&[("request", "x")], "request_not_supported"),
        (&[("request_uri", "https://app.example.com/r")], "request_uri_not_supported"),
        (&[("registration", "{}")], "registration_not_supported"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("resource", "notes"), ("audience", "notes")], "invalid_request"),
        (&[("nonce", &long)], "invalid_request"),
        (&[("state", &long)], "invalid_request"),
        (&[("client_id", "lax"), ("code_challenge", "")], "invalid_request"),
    ] {
        assert_eq!(told(more), expected, "{more:?}");
    }
    for (name, _) in request(&[]).iter().filter(|(name, _)| name != "client_id" && name != "redirect_uri") {
        let mut pairs = request(&[]);
        pairs.push((name.clone(), "again".to_owned()));
        assert_eq!(error(Chrome::new(&at).request(&pairs)), "invalid_request", "{name} twice");
    }
    let lax = [("client_id", "lax"), ("code_challenge", ""), ("code_challenge_method", "")];
    sign_in(Chrome::new(&at).authorize(&lax));
    sign_in(Chrome::new(&at).authorize(&[("unknown", "x"), ("display", "popup"), ("claims_locales", "de")]));
}

#[test]
fn what_ends_the_login_ends_its_codes() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    for (name, end) in [
        (
            "disabled",
            (|at: &InProcess, name: &str| {
                at.authority.disable_user(name).map_err(|error| error.cause).unwrap();
            }) as fn(&InProcess, &str),
        ),
        ("deleted", |at, name| {
            at.authority.delete_user(name).map_err(|error| error.cause).unwrap();
        }),
        ("renewed", |at, name| {
            let password = PlainSecret::new("another correct horse battery staple".to_owned());
            at.authority.set_user_password(name, Some(password)).map_err(|error| error.cause).unwrap();
        }),
    ] {
        at.user(name);
        let mut browser = Chrome::new(&at);
        let before = browser.log_in(name, &[]);
        let session = redeem(&at, &client, code(&before)).unwrap();
        let open = response(browser.authorize(&[]));
        end(&at, name);
        at.see_changes();
        assert!(is_invalid_grant(redeem(&at, &client, code(&open))), "{name}: the code");
        assert_eq!(at.verify(&session.access_token), Err(REVOKED), "{name}: the access token");
        assert!(at.userinfo(&session.access_token).is_err(), "{name}: userinfo");
        sign_in(browser.authorize(&[]));
    }
}

#[test]
fn a_logout_ends_what_came_from_the_browser_but_not_what_was_to_stay() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let first = browser.log_in("alice", &[]);
    let online = redeem(&at, &client, code(&first)).unwrap();
    let Outcome::Page(Page::Consent(page)) = browser.authorize(&[("scope", "openid offline_access")]) else {
        panic!()
    };
    let second = response(browser.consent(&page.interaction, true));
    let offline = redeem(&at, &client, code(&second)).unwrap();
    let request = LogoutRequest {
        id_token_hint: online.id_token.clone(),
        post_logout_redirect_uri: Some("https://app.example.com/bye".to_owned()),
        state: Some("s t".to_owned()),
        ..LogoutRequest::default()
    };
    at.clock.advance(Duration::from_secs(3600));
    // The hint has expired; it says who is meant all the same.
    let Logout::Redirect(location) = browser.log_out(request.clone()) else { panic!() };
    assert_eq!(location, "https://app.example.com/bye?state=s+t");
    assert_eq!(at.verify(&online.access_token), Err(EXPIRED));
    let refreshed = at.refresh(&client, offline.refresh_token.as_deref().unwrap()).unwrap();
    assert_eq!(at.verify(&refreshed.access), Ok(()), "offline_access goes on");
    assert!(browser.tickets.is_empty());
    assert_eq!(error(browser.authorize(&[("prompt", "none")])), "login_required");
    // Once more: there is nothing to end, and the client goes on.
    assert!(matches!(browser.log_out(request), Logout::Redirect(_)));
}

#[test]
fn nobody_is_logged_out_by_a_stranger() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    let (alice, bob) = (at.user("alice"), at.user("bob"));
    assert_ne!(alice, bob);
    let mut browser = Chrome::new(&at);
    let answer = browser.log_in("alice", &[]);
    redeem(&at, &client, code(&answer)).unwrap();
    let mut elsewhere = Chrome::new(&at);
    let answer = elsewhere.log_in("bob", &[]);
    let of_bob = redeem(&at, &client, code(&answer)).unwrap();
    let bye = Some("https://app.example.com/bye".to_owned());
    for request in [
        LogoutRequest::default(),
        LogoutRequest { post_logout_redirect_uri: bye.clone(), ..LogoutRequest::default() },
        LogoutRequest {
            client_id: Some("web".to_owned()),
            post_logout_redirect_uri: bye.clone(),
            ..LogoutRequest::default()
        },
        LogoutRequest {
            id_token_hint: of_bob.id_token.clone(),
            post_logout_redirect_uri: bye.clone(),
            ..LogoutRequest::default()
        },
        LogoutRequest {
            id_token_hint: Some("x.y.z".to_owned()),
            post_logout_redirect_uri: bye,
            ..LogoutRequest::default()
        },
        LogoutRequest { id_token_hint: Some(of_bob.access_token), ..LogoutRequest::default() },
    ] {
        let Logout::Ask(question) = browser.log_out(request) else { panic!() };
        assert_eq!(question.username, "alice");
    }
    response(browser.authorize(&[("prompt", "none")]));
}

#[test]
fn several_accounts_are_open_in_one_browser() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    let (alice, bob) = (at.user("alice"), at.user("bob"));
    let mut browser = Chrome::new(&at);
    let first = browser.log_in("alice", &[]);
    let first = redeem(&at, &client, code(&first)).unwrap();
    let Outcome::Page(Page::ChooseAccount(page)) = browser.authorize(&[("prompt", "select_account")]) else {
        panic!()
    };
    let other = sign_in(browser.account(&page.interaction, ChosenAccount::Another));
    let Outcome::Page(Page::Consent(consent)) = browser.password(&other, "bob", PASSWORD) else { panic!() };
    let second = response(browser.consent(&consent.interaction, true));
    let subject = |answer: &ClientResponse| {
        let issued = redeem(&at, &client, code(answer)).unwrap();
        claims(&issued.access_token)["sub"].as_str().unwrap().to_owned()
    };
    assert_eq!(subject(&second), bob);
    // The latest, unless another one is asked for.
    let latest = response(browser.authorize(&[]));
    assert_eq!(subject(&latest), bob);
    let hint = first.id_token.clone().unwrap();
    let hinted = response(browser.authorize(&[("id_token_hint", &hint), ("prompt", "none")]));
    assert_eq!(subject(&hinted), alice);
    let named = response(browser.authorize(&[("login_hint", "alice")]));
    assert_eq!(subject(&named), alice);
    let Outcome::Page(Page::ChooseAccount(page)) = browser.authorize(&[("prompt", "select_account")]) else {
        panic!()
    };
    assert_eq!(
        page.accounts.iter().map(|account| account.username.as_str()).collect::<Vec<_>>(),
        ["bob", "alice"]
    );
    let chosen = page.accounts[1].browser_session_id.clone();
    let chosen =
        response(browser.account(&page.interaction, ChosenAccount::Open { browser_session_id: chosen }));
    assert_eq!(subject(&chosen), alice);
    // One leaves, the other stays.
    let gone = browser.log_out(LogoutRequest { id_token_hint: first.id_token, ..LogoutRequest::default() });
    assert!(matches!(gone, Logout::Done));
    let left = response(browser.authorize(&[("prompt", "none")]));
    assert_eq!(subject(&left), bob);
}

#[test]
fn a_page_that_is_too_old_or_of_another_browser_begins_again() {
    let at = InProcess::new();
    at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let page = sign_in(browser.authorize(&[]));
    at.clock.advance(Duration::from_secs(3601));
    let Outcome::Page(Page::SignIn(again)) = browser.password(&page, "alice", PASSWORD) else { panic!() };
    assert_eq!(again.problem, Some(Problem::StartedAgain));
    assert!(browser.tickets.is_empty());
    // What an attacker prepared in their browser logs nobody in elsewhere.
    let mut victim = Chrome::new(&at);
    let Outcome::Page(Page::SignIn(shown)) = victim.password(&again.interaction, "alice", PASSWORD) else {
        panic!()
    };
    assert_eq!(shown.problem, Some(Problem::StartedAgain));
    assert!(victim.tickets.is_empty() && victim.binding.is_some());
    let Outcome::Page(Page::Consent(_)) = victim.password(&shown.interaction, "alice", PASSWORD) else {
        panic!()
    };
    for broken in ["", "x", &page[1..], &format!("{page}A")] {
        let outcome = browser.password(broken, "alice", PASSWORD);
        assert!(matches!(outcome, Outcome::Page(Page::Stopped(Stopped::UnreadablePage))), "{broken}");
    }
}

#[test]
fn a_refused_consent_is_told_and_another_scope_is_asked_for_again() {
    let at = InProcess::new();
    at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let page = sign_in(browser.authorize(&[]));
    let Outcome::Page(Page::Consent(consent)) = browser.password(&page, "alice", PASSWORD) else { panic!() };
    assert_eq!(error(browser.consent(&consent.interaction, false)), "access_denied");
    assert_eq!(error(browser.authorize(&[("prompt", "none")])), "consent_required");
    let Outcome::Page(Page::Consent(consent)) = browser.authorize(&[]) else { panic!() };
    response(browser.consent(&consent.interaction, true));
    response(browser.authorize(&[]));
    // Less than what was allowed is allowed, too; more is asked for.
    response(browser.authorize(&[("scope", "openid")]));
    assert!(matches!(browser.authorize(&[("scope", "openid read")]), Outcome::Page(Page::Consent(_))));
    at.clock.advance(Duration::from_secs(91 * 24 * 3600));
    sign_in(browser.authorize(&[]));
}

#[test]
fn an_app_that_cannot_prove_itself_asks_each_time() {
    let at = InProcess::new();
    at.authority.create_audience(&Audience::named("app")).map_err(|error| error.cause).unwrap();
    let new = NewClient {
        id: ClientId::parse("app").unwrap(),
        scope: ScopeSet::parse("openid").unwrap(),
        audiences: Vec::new(),
        grants: vec![GrantType::AuthorizationCode],
        introspects: Vec::new(),
        cors_origins: Vec::new(),
        login: ClientLogin {
            redirect_uris: vec![RedirectUri::parse("http://127.0.0.1/cb").unwrap()],
            first_party: true,
            ..ClientLogin::default()
        },
        method: ClientMethod::None,
        token_binding: TokenBinding::Optional,
    };
    assert!(at.authority.create_client(&new).map_err(|error| error.cause).unwrap().is_none());
    at.see_changes();
    let client = at.authority.clients.enabled(&new.id).unwrap();
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let to = "http://127.0.0.1:49152/cb";
    let more = [("client_id", "app"), ("redirect_uri", to), ("scope", "openid")];
    for _ in 0..2 {
        let page = match browser.authorize(&more) {
            Outcome::Page(Page::SignIn(page)) => {
                let Outcome::Page(Page::Consent(page)) =
                    browser.password(&page.interaction, "alice", PASSWORD)
                else {
                    panic!()
                };
                page
            }
            Outcome::Page(Page::Consent(page)) => page,
            other => panic!("{other:?}"),
        };
        assert!(page.is_unproved);
        assert_eq!(page.audience, None, "it asks who the user is, and nothing else");
        let answer = response(browser.consent(&page.interaction, true));
        let mut grant = code_grant(code(&answer));
        grant.redirect_uri = Some(to.to_owned());
        let issued = at.grant(&client, Grant::AuthorizationCode(Box::new(grant))).unwrap();
        assert_eq!(claims(&issued.access_token)["aud"], "http://127.0.0.1:8080/oauth2/userinfo");
        assert!(at.userinfo(&issued.access_token).is_ok());
    }
}

#[test]
fn a_second_factor_is_asked_for_on_a_page_of_its_own() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    at.user("alice");
    let secret = super::account::enroll(&at, "alice");
    let mut browser = Chrome::new(&at);
    let factor = browser.comes_to_second_factor("alice");
    assert!(browser.tickets.is_empty(), "half a login is none");
    let submit = |browser: &mut Chrome<'_>, interaction: &str, code: &str| {
        let answer =
            at.authority.submit_factor(&browser.submitted(interaction), &PlainSecret::new(code.to_owned()));
        browser.take(answer.map_err(|error| error.cause).unwrap())
    };
    let Outcome::Page(Page::SecondFactor(again)) = submit(&mut browser, &factor.interaction, "000000") else {
        panic!()
    };
    assert_eq!(again.problem, Some(Problem::WrongCode));
    let code_now = super::account::code(&at, &secret).expose().to_owned();
    let Outcome::Page(Page::Consent(consent)) = submit(&mut browser, &again.interaction, &code_now) else {
        panic!()
    };
    let answer = response(browser.consent(&consent.interaction, true));
    let issued = redeem(&at, &client, code(&answer)).unwrap();
    let id_token = claims(issued.id_token.as_deref().unwrap());
    assert_eq!(
        (id_token["acr"].as_str(), id_token["amr"].to_string()),
        (Some("2"), r#"["pwd","otp","mfa"]"#.to_owned())
    );
    // The same code again, and half a login that was left open for too long.
    let mut other = Chrome::new(&at);
    let factor = other.comes_to_second_factor("alice");
    assert!(matches!(
        submit(&mut other, &factor.interaction, &code_now),
        Outcome::Page(Page::SecondFactor(_))
    ));
    at.clock.advance(Duration::from_secs(301));
    let late = super::account::code(&at, &secret).expose().to_owned();
    let Outcome::Page(Page::SignIn(begun)) = submit(&mut other, &factor.interaction, &late) else { panic!() };
    assert_eq!(begun.problem, Some(Problem::StartedAgain));
}

/// Guesses of strangers, each from an address of its own, until the account is closed to them.
fn close_to_strangers(at: &InProcess, username: &str) {
    let client = at.client("guessing");
    for last in 1..10 {
        let mut grant = PasswordGrant {
            credentials: PasswordCredentials {
                unverified_username: username.to_owned(),
                password: PlainSecret::new("a guess".to_owned()),
                otp: None,
            },
            context: context(),
            scope: None,
            audience: None,
        };
        let address: IpAddr = format!("203.0.{last}.1").parse().unwrap();
        grant.context.client_ip = Some(address.into());
        if let Err(ErrorKind::TooManyAttempts(_)) = at.grant(&client, Grant::Password(Box::new(grant))) {
            return;
        }
    }
    panic!("more guesses than an account allows");
}

#[test]
fn the_network_of_a_user_with_a_second_factor_is_known_after_a_login() {
    let at = InProcess::with(|settings| settings.limits.account = 6);
    at.client_like("web", web);
    at.user("alice");
    let secret = super::account::enroll(&at, "alice");
    let mut browser = Chrome::new(&at);
    let factor = browser.comes_to_second_factor("alice");
    let submitted = browser.submitted(&factor.interaction);
    let answer = at.authority.submit_factor(&submitted, &super::account::code(&at, &secret));
    assert!(matches!(answer.unwrap().outcome, Outcome::Page(Page::Consent(_))));
    close_to_strangers(&at, "alice");
    let mut again = Chrome::new(&at);
    again.comes_to_second_factor("alice");
}

#[test]
fn an_id_token_is_no_access_token() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    // An audience of the client's own name, whose tokens have the type of ID tokens.
    let audience = Audience { token_type: auth_service::clients::TokenType::Jwt, ..Audience::named("web") };
    at.authority.create_audience(&audience).map_err(|error| error.cause).unwrap();
    at.see_changes();
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let answer = browser.log_in("alice", &[]);
    let issued = redeem(&at, &client, code(&answer)).unwrap();
    let id_token = issued.id_token.unwrap();
    assert!(at.userinfo(&id_token).is_err());
    assert_eq!(at.verify(&id_token), Err(INVALID));
    assert!(!at.is_active(&client, &id_token));
}

#[test]
fn claims_by_name_are_allowed_as_their_scope_is() {
    let at = InProcess::new();
    let client = at.client_like("web", web);
    let narrow = at.client_like("narrow", |new| {
        web(new);
        new.scope = ScopeSet::parse("openid").unwrap();
    });
    at.user("alice");
    let asked = r#"{"userinfo": {"preferred_username": null, "email": null}, "id_token": {"preferred_username": null}}"#;
    let mut browser = Chrome::new(&at);
    browser.log_in("alice", &[("scope", "openid")]);
    let more = [("scope", "openid"), ("claims", asked)];
    let silent = [("scope", "openid"), ("claims", asked), ("prompt", "none")];
    assert_eq!(error(browser.authorize(&silent)), "consent_required");
    let Outcome::Page(Page::Consent(page)) = browser.authorize(&more) else { panic!() };
    assert_eq!(page.scope, ["email", "openid", "profile"], "the user sees what is asked for by name");
    let answer = response(browser.consent(&page.interaction, true));
    let issued = redeem(&at, &client, code(&answer)).unwrap();
    assert_eq!(issued.scope, "openid");
    assert_eq!(claims(issued.id_token.as_deref().unwrap())["preferred_username"], "alice");
    assert_eq!(at.userinfo(&issued.access_token).unwrap()["preferred_username"], "alice");
    response(browser.authorize(&silent));
    // What the client may not ask for by scope it does not get by name.
    let of_narrow = [("client_id", "narrow"), ("scope", "openid"), ("claims", asked)];
    let Outcome::Page(Page::Consent(page)) = browser.authorize(&of_narrow) else { panic!() };
    assert_eq!(page.scope, ["openid"]);
    let answer = response(browser.consent(&page.interaction, true));
    let issued = redeem(&at, &narrow, code(&answer)).unwrap();
    assert_eq!(at.userinfo(&issued.access_token).unwrap().len(), 1, "`sub` alone");
    assert!(claims(issued.id_token.as_deref().unwrap()).get("preferred_username").is_none());
}

#[test]
fn a_login_on_these_pages_is_that_of_one_account() {
    let at = InProcess::new();
    at.client_like("web", web);
    at.user("alice");
    at.user("bob");
    let mut browser = Chrome::new(&at);
    browser.log_in("alice", &[]);
    let Outcome::Page(Page::ChooseAccount(page)) = browser.authorize(&[("prompt", "select_account login")])
    else {
        panic!()
    };
    let of_alice = page.accounts[0].browser_session_id.clone();
    let other = sign_in(browser.account(&page.interaction, ChosenAccount::Another));
    let Outcome::Page(Page::Consent(consent)) = browser.password(&other, "bob", PASSWORD) else { panic!() };
    // Bob has logged in again as the client asked; Alice has not.
    let chosen = ChosenAccount::Open { browser_session_id: of_alice };
    sign_in(browser.account(&consent.interaction, chosen));
}

#[test]
fn each_login_keeps_the_browser_session_alive() {
    let at = InProcess::new();
    let client = first_party(&at);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    redeem(&at, &client, code(&browser.log_in("alice", &[]))).unwrap();
    // Together longer than a browser session stands idle, each alone shorter.
    for hours in [1, 6, 6, 6] {
        at.clock.advance(Duration::from_secs(hours * 3600));
        let answer = browser.authorize(&[("prompt", "none")]);
        redeem(&at, &client, code(&response(answer))).unwrap();
    }
    at.clock.advance(Duration::from_secs(9 * 3600));
    assert_eq!(error(browser.authorize(&[("prompt", "none")])), "login_required");
}

#[test]
fn a_login_after_the_browser_session_was_idle_goes_on_with_it() {
    let (at, client) = patient();
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let first = browser.log_in("alice", &[]);
    let first = redeem(&at, &client, code(&first)).unwrap();
    at.clock.advance(Duration::from_secs(9 * 3600));
    let refreshed = at.refresh(&client, first.refresh_token.as_deref().unwrap()).unwrap();
    let second = browser.log_in("alice", &[]);
    let second = redeem(&at, &client, code(&second)).unwrap();
    let sid = |issued: &IssuedTokens| claims(issued.id_token.as_deref().unwrap())["sid"].clone();
    assert_eq!(sid(&first), sid(&second));
    let out = LogoutRequest { id_token_hint: second.id_token.clone(), ..LogoutRequest::default() };
    assert!(matches!(browser.log_out(out), Logout::Done));
    assert_eq!(at.verify(&refreshed.access), Err(REVOKED), "the logout ends what came before, too");
}

/// The operator's own client: it asks for no consent.
fn first_party(at: &InProcess) -> Arc<Client> {
    at.client_like("web", |new| {
        web(new);
        new.login.first_party = true;
    })
}

/// The client keeps its users logged in for longer than the browser session stands idle.
fn patient() -> (InProcess, Arc<Client>) {
    let at = InProcess::with(|settings| settings.tokens.refresh_idle_ttl = Duration::from_secs(48 * 3600));
    let client = first_party(&at);
    (at, client)
}

#[test]
fn a_logout_reaches_a_browser_session_that_was_idle() {
    let (at, client) = patient();
    at.user("alice");
    at.user("bob");
    let mut browser = Chrome::new(&at);
    let of_alice = redeem(&at, &client, code(&browser.log_in("alice", &[]))).unwrap();
    at.clock.advance(Duration::from_secs(9 * 3600));
    let refreshed = at.refresh(&client, of_alice.refresh_token.as_deref().unwrap()).unwrap();
    assert_eq!(error(browser.authorize(&[("prompt", "none")])), "login_required");
    // Another account of the same browser: hers is still held.
    let of_bob = redeem(&at, &client, code(&browser.log_in("bob", &[]))).unwrap();
    assert_eq!(browser.tickets.iter().count(), 2);
    let out = LogoutRequest { id_token_hint: of_alice.id_token.clone(), ..LogoutRequest::default() };
    assert!(matches!(browser.log_out(out), Logout::Done));
    assert_eq!(at.verify(&refreshed.access), Err(REVOKED));
    assert_eq!(at.verify(&of_bob.access_token), Ok(()));
}

#[test]
fn browser_sessions_that_are_over_end_with_what_came_from_them() {
    let at = InProcess::new();
    let client = first_party(&at);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let answer = browser.log_in("alice", &[]);
    let issued = redeem(&at, &client, code(&answer)).unwrap();
    let policy = SweepPolicy {
        interval: Duration::from_secs(600),
        keep: Duration::from_secs(24 * 3600),
        audit_keep: None,
    };
    let sweep = || at.authority.sweep(policy, || true).map_err(|error| error.cause).unwrap();
    // Idle, and in use by a client.
    at.clock.advance(Duration::from_secs(20 * 3600));
    let refreshed = at.refresh(&client, issued.refresh_token.as_deref().unwrap()).unwrap();
    sweep();
    assert_eq!(at.verify(&refreshed.access), Ok(()));
    // Nothing comes from it any more.
    at.clock.advance(Duration::from_secs(25 * 3600));
    sweep();
    let page = auth_service::storage::BrowserSessionPage { limit: 10, ..Default::default() };
    assert!(at.authority.browser_sessions_page(&page).unwrap().is_empty());
}

#[test]
fn a_webhook_that_is_away_spends_no_code() {
    let at = InProcess::with(|settings| {
        settings.claims_webhook.url = Some("http://127.0.0.1:1/".to_owned());
        settings.claims_webhook.timeout = Duration::from_millis(300);
    });
    let client = at.client_like("web", web);
    at.user("alice");
    let mut browser = Chrome::new(&at);
    let answer = browser.log_in("alice", &[]);
    assert_eq!(redeem(&at, &client, code(&answer)).map(|_| ()), Err(ErrorKind::Unavailable));
    let again = redeem(&at, &client, code(&answer)).map(|_| ());
    assert_eq!(again, Err(ErrorKind::Unavailable), "not used up");
}
