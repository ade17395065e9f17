//! What users do for their own accounts, over HTTP as an application does it, with a mail server of this machine.

mod enumeration;
pub mod postbox;

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use signet_proto::auth::v1::ObtainPairRequest;
use system_tests::database::execute;
use system_tests::protocol::{as_gateway, client, unverified_claims};
use system_tests::system::{PASSWORD, USER, cli};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};
use tokio::task::JoinSet;
use tonic::Code;
use totp_rs::{Builder, Secret, Totp};

use postbox::Postbox;

on_both_databases! {
    an_account_is_made_when_its_address_is_proved_and_no_stranger_learns_what_is_taken
    another_password_by_email_ends_everything_that_the_old_one_began
    a_changed_password_ends_all_sessions_but_the_one_that_changed_it
    an_address_is_the_accounts_when_it_is_proved
    a_one_time_password_is_asked_for_and_good_once
    sessions_are_seen_and_ended_by_their_owner_alone
}

const NEW_PASSWORD: &str = "another horse, another battery";

struct World {
    system: System,
    postbox: Postbox,
    /// Tokens for the account endpoints, by the access token of the same session.
    account_tokens: Mutex<HashMap<String, String>>,
}

impl World {
    async fn new(database: Database, settings: &[(&str, &str)]) -> Self {
        let postbox = Postbox::start();
        let mail = [("AUTH__MAIL__URL", postbox.url.as_str()), ("AUTH__ACCOUNTS__REGISTRATION", "true")];
        let system = System::with(database, &[&mail, settings].concat()).await;
        Self { system, postbox, account_tokens: Mutex::default() }
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
        let url = self.system.auth_url(&format!("/api/account/v1{path}"));
        let mut request = self.system.http.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            let of_session = self.account_tokens.lock().unwrap().get(token).cloned();
            request = request.bearer_auth(of_session.unwrap_or_else(|| token.to_owned()));
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
        let body: Value = answer.json().await.unwrap_or_default();
        if status >= 400 {
            assert_eq!(body["status"], status, "a problem says what it is: {path}: {body}");
        }
        (status, body)
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask("POST", path, None, Some(body)).await
    }

    async fn login(&self, name: &str, password: &str) -> Option<(String, String)> {
        let pair = Protocol::Http.obtain(&self.system, name, password).await.ok()?;
        self.open_account(&pair.access, &pair.refresh).await;
        Some((pair.access, pair.refresh))
    }

    /// Lets [`Self::ask`] use the session of a pair.
    async fn open_account(&self, access: &str, refresh: &str) {
        let (status, body) = self.post("/token", json!({"refresh": refresh})).await;
        assert_eq!(status, 200, "{body}");
        let token = body["access"].as_str().unwrap().to_owned();
        self.account_tokens.lock().unwrap().insert(access.to_owned(), token);
    }

    /// The account that tests have, with an address.
    async fn with_address(&self, email: &str) -> (String, String) {
        let pair = self.login(USER, PASSWORD).await.unwrap();
        let body = json!({"email": email, "current_password": PASSWORD});
        assert_eq!(self.ask("PUT", "/email", Some(&pair.0), Some(body)).await.0, 202);
        let body = Some(json!({"token": self.postbox.token(email).await}));
        assert_eq!(self.ask("POST", "/email/confirm", Some(&pair.0), body).await.0, 204);
        pair
    }
}

async fn an_account_is_made_when_its_address_is_proved_and_no_stranger_learns_what_is_taken(
    database: Database,
) {
    let link = [("AUTH__ACCOUNTS__REGISTRATION_LINK", "https://app.test/welcome#{token}")];
    let world = World::new(database, &link).await;
    let register =
        |name: &str, email: &str| json!({"username": name, "email": email, "password": NEW_PASSWORD});
    let (status, body) = world.post("/registration", register("Bob", "bob@example.org")).await;
    assert_eq!((status, body), (202, Value::Null));
    assert!(world.login("bob", NEW_PASSWORD).await.is_none(), "not yet");
    let (subject, text) = world.postbox.letter("bob@example.org").await;
    assert_eq!(subject, "Confirm your account");
    let token = text.split("https://app.test/welcome#").nth(1).unwrap().split_whitespace().next().unwrap();
    let confirm = |password: &str| json!({"token": token, "password": password});
    let (status, refused) = world.post("/registration/confirm", confirm("not the one who registered")).await;
    assert_eq!((status, &refused["code"]), (403, &json!("invalid_credentials")));
    assert!(world.login("bob", NEW_PASSWORD).await.is_none(), "a click alone makes nobody's user");
    assert_eq!(world.post("/registration/confirm", confirm(NEW_PASSWORD)).await.0, 204);
    let (access, _) = world.login("bob", NEW_PASSWORD).await.unwrap();
    let (_, me) = world.ask("GET", "/me", Some(&access), None).await;
    assert_eq!(
        (&me["username"], &me["email"], &me["email_verified"]),
        (&json!("Bob"), &json!("bob@example.org"), &json!(true))
    );
    assert!(unverified_claims(&access)["roles"].as_array().unwrap().is_empty());
    let (status, again) = world.post("/registration/confirm", confirm(NEW_PASSWORD)).await;
    assert_eq!((status, &again["code"]), (400, &json!("link_invalid")));

    for (name, email, written_to, subject) in [
        // Whether a name is taken is said to nobody who has not proved an address.
        ("ＢＯＢ", "other@example.org", "other@example.org", "Confirm your account"),
        // With a Cyrillic e-mail: another spelling that looks the same.
        ("b\u{43e}b", "third@example.org", "third@example.org", "Confirm your account"),
        // What is spelled alike may be someone else's: the owner is written to.
        ("carol", "BOB@example.org", "bob@example.org", "You already have an account"),
        ("carol", "carol@example.org", "carol@example.org", "Confirm your account"),
    ] {
        let answer = world.post("/registration", register(name, email)).await;
        assert_eq!(answer, (202, Value::Null), "the same for everybody");
        let (found, text) = world.postbox.letter(written_to).await;
        assert_eq!(found, subject);
        assert!(!text.contains(name), "a stranger's text in an e-mail of ours: {text}");
        if subject == "Confirm your account" && name != "carol" {
            let token = text.split("https://app.test/welcome#").nth(1).unwrap().split_whitespace().next();
            let body = json!({"token": token.unwrap(), "password": NEW_PASSWORD});
            let (status, taken) = world.post("/registration/confirm", body).await;
            assert_eq!((status, &taken["code"]), (409, &json!("conflict")));
        }
    }
    for (name, email, password, code) in [
        ("dave", "dave@example.org", "short", "password_refused"),
        ("dave", "dave@example.org", "password123", "password_refused"),
        ("davedave", "dave@example.org", "davedave1", "password_refused"),
        ("dave", "no address", NEW_PASSWORD, "invalid_request"),
        ("da\u{0}ve", "dave@example.org", NEW_PASSWORD, "invalid_request"),
        ("da\u{200b}ve", "dave@example.org", NEW_PASSWORD, "invalid_request"),
        ("da\u{202e}ve", "dave@example.org", NEW_PASSWORD, "invalid_request"),
        ("da ve", "dave@example.org", NEW_PASSWORD, "invalid_request"),
        ("https://evil.example/dave", "dave@example.org", NEW_PASSWORD, "invalid_request"),
    ] {
        let (status, body) = world
            .post("/registration", json!({"username": name, "email": email, "password": password}))
            .await;
        assert_eq!((status, body["code"].as_str().unwrap()), (400, code), "{body}");
        assert!(!body.to_string().contains(password));
    }
    // Nobody can make the e-mails a flood.
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(world.post("/registration", register("eve", "eve@example.org")).await.0);
    }
    assert_eq!(statuses, [202, 202, 202, 202, 202, 429]);
}

async fn another_password_by_email_ends_everything_that_the_old_one_began(database: Database) {
    let world = World::new(database, &[]).await;
    let (access, refresh) = world.with_address("alice@example.org").await;
    let unknown = world.post("/password/reset", json!({"email": "nobody@example.org"})).await;
    let known = world.post("/password/reset", json!({"email": "ALICE@example.org"})).await;
    assert_eq!(unknown, known);
    assert_eq!(known, (202, Value::Null));
    let token = world.postbox.token("alice@example.org").await;
    assert_eq!(world.postbox.left(), 0, "nobody else is written to");
    let (status, body) =
        world.post("/password/reset/confirm", json!({"token": token, "new_password": "12345678"})).await;
    assert_eq!((status, &body["code"]), (400, &json!("password_refused")), "and the token is still good");
    let reset = json!({"token": token, "new_password": NEW_PASSWORD});
    assert_eq!(world.post("/password/reset/confirm", reset.clone()).await.0, 204);
    assert_eq!(world.postbox.letter("alice@example.org").await.0, "Your password was changed");
    assert_eq!(world.post("/password/reset/confirm", reset).await.1["code"], "link_invalid", "once");
    assert!(world.login(USER, PASSWORD).await.is_none());
    assert!(world.login(USER, NEW_PASSWORD).await.is_some());
    assert!(Protocol::Http.refresh(&world.system, &refresh).await.is_err());
    assert_eq!(world.ask("GET", "/me", Some(&access), None).await.0, 401);
    world.system.notes_come_to_refuse(&access).await;

    // An e-mail that was not used dies with the password that it was to replace.
    assert_eq!(world.post("/password/reset", json!({"email": "alice@example.org"})).await.0, 202);
    let late = world.postbox.token("alice@example.org").await;
    let _ = cli(
        world.system.folder.path(),
        &world.system.auth_env,
        &["user", "passwd", USER, "--password-stdin"],
        PASSWORD,
    );
    let reset = json!({"token": late, "new_password": "yet another battery staple"});
    assert_eq!(world.post("/password/reset/confirm", reset).await.0, 400);
    let log = world.system.auth.log();
    assert!(!log.contains(&late) && !log.contains(&token) && !log.contains(NEW_PASSWORD));
}

async fn a_changed_password_ends_all_sessions_but_the_one_that_changed_it(database: Database) {
    let world = World::new(database, &[]).await;
    let (mine, my_refresh) = world.login(USER, PASSWORD).await.unwrap();
    let (other, other_refresh) = world.login(USER, PASSWORD).await.unwrap();
    let change = |present: &str, new: &str| Some(json!({"current_password": present, "new_password": new}));
    let (status, body) = world.ask("PUT", "/password", Some(&mine), change("wrong", NEW_PASSWORD)).await;
    assert_eq!((status, &body["code"]), (403, &json!("invalid_credentials")));
    let (status, body) = world.ask("PUT", "/password", Some(&mine), change(PASSWORD, "iloveyou")).await;
    assert_eq!((status, &body["code"]), (400, &json!("password_refused")));
    let (status, body) = world.ask("PUT", "/password", Some(&mine), change(PASSWORD, NEW_PASSWORD)).await;
    assert_eq!((status, body), (200, json!({"sessions_ended": 1})));
    assert_eq!(world.ask("GET", "/me", Some(&mine), None).await.0, 200);
    assert_eq!(world.ask("GET", "/me", Some(&other), None).await.0, 401);
    world.system.notes_come_to_refuse(&other).await;
    assert!(world.system.notes_accept(&mine).await);
    Protocol::Http.refresh(&world.system, &my_refresh).await.expect("it goes on");
    assert!(Protocol::Http.refresh(&world.system, &other_refresh).await.is_err());
    assert!(world.login(USER, PASSWORD).await.is_none() && world.login(USER, NEW_PASSWORD).await.is_some());
    let decomposed = "cafe\u{301} au lait, deux fois";
    assert_eq!(world.ask("PUT", "/password", Some(&mine), change(NEW_PASSWORD, decomposed)).await.0, 200);
    assert!(world.login(USER, "caf\u{e9} au lait, deux fois").await.is_some(), "however the accent is typed");
}

async fn an_address_is_the_accounts_when_it_is_proved(database: Database) {
    let world = World::new(database, &[]).await;
    let (access, _) = world.with_address("alice@example.org").await;
    let change = |email: &str, password: &str| Some(json!({"email": email, "current_password": password}));
    assert_eq!(world.ask("PUT", "/email", Some(&access), change("new@example.org", "wrong")).await.0, 403);
    assert_eq!(world.ask("PUT", "/email", Some(&access), change("new@example.org", PASSWORD)).await.0, 202);
    let token = world.postbox.token("new@example.org").await;
    assert_eq!(world.ask("GET", "/me", Some(&access), None).await.1["email"], "alice@example.org", "not yet");
    assert_eq!(
        world.post("/password/reset/confirm", json!({"token": token, "new_password": NEW_PASSWORD})).await.0,
        400,
        "another kind"
    );
    let body = || Some(json!({"token": token}));
    assert_eq!(world.ask("POST", "/email/confirm", None, body()).await.0, 401, "nobody's click is enough");
    let mallory = ["user", "create", "mallory", "--password-stdin"];
    let _ = cli(world.system.folder.path(), &world.system.auth_env, &mallory, PASSWORD);
    let (theirs, _) = world.login("mallory", PASSWORD).await.unwrap();
    assert_eq!(world.ask("POST", "/email/confirm", Some(&theirs), body()).await.0, 400, "of another account");
    assert_eq!(world.ask("POST", "/email/confirm", Some(&access), body()).await.0, 204);
    assert_eq!(world.ask("POST", "/email/confirm", Some(&access), body()).await.0, 400, "once");
    assert_eq!(world.ask("GET", "/me", Some(&access), None).await.1["email"], "new@example.org");
    assert_eq!(world.postbox.letter("alice@example.org").await.0, "Your e-mail address was changed");
}

/// What an authenticator app makes of the secret.
pub(crate) fn app(uri: &str) -> Totp {
    let secret = uri.split("secret=").nth(1).unwrap().split('&').next().unwrap();
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret.as_bytes()).with_account_name("x").build().unwrap()
}

async fn a_one_time_password_is_asked_for_and_good_once(database: Database) {
    let world = World::new(database, &[]).await;
    let (access, _) = world.login(USER, PASSWORD).await.unwrap();
    let password = || Some(json!({"current_password": PASSWORD}));
    assert_eq!(
        world.ask("POST", "/second-factor", Some(&access), Some(json!({"current_password": "x"}))).await.0,
        403
    );
    let (status, new) = world.ask("POST", "/second-factor", Some(&access), password()).await;
    assert_eq!(status, 200);
    let app = app(new["uri"].as_str().unwrap());
    assert!(world.login(USER, PASSWORD).await.is_some(), "not before the app has shown that it has it");
    assert_eq!(
        world.ask("POST", "/second-factor/confirm", Some(&access), Some(json!({"otp": "000000"}))).await.0,
        403
    );
    let code = app.generate(unix_now()).to_string();
    let (status, codes) =
        world.ask("POST", "/second-factor/confirm", Some(&access), Some(json!({"otp": code}))).await;
    assert_eq!(status, 200, "{codes}");
    let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).unwrap();
    assert_eq!(world.ask("POST", "/second-factor", Some(&access), password()).await.0, 409, "one is in use");

    let log_in = async |otp: Option<&str>| {
        let mut body = json!({"username": USER, "password": PASSWORD});
        if let Some(otp) = otp {
            body["otp"] = json!(otp);
        }
        let answer =
            world.system.http.post(world.system.auth_url("/api/token/")).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = log_in(None).await;
    assert_eq!((status, &body["code"]), (401, &json!("otp_required")));
    let wrong_password = json!({"username": USER, "password": "wrong"});
    let answer = world
        .system
        .http
        .post(world.system.auth_url("/api/token/"))
        .json(&wrong_password)
        .send()
        .await
        .unwrap();
    assert!(!answer.text().await.unwrap().contains("otp"), "who has no password learns nothing of it");
    assert_eq!(log_in(Some(&code)).await.0, 401, "the one that showed it is spent");
    // The next one, as an app shows it whose clock is half a minute ahead (RFC 6238 section 5.2).
    let next = app.generate(unix_now() + 30).to_string();
    let (status, pair) = log_in(Some(&next)).await;
    assert_eq!(status, 200, "{pair}");
    assert_eq!(unverified_claims(pair["access"].as_str().unwrap())["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(log_in(Some(&next)).await.0, 401, "a code is good once");
    // The codes are shown again to anyone who confirms again at once, and to nobody who has a code of a later login.
    let confirm = async |otp: &str| {
        world.ask("POST", "/second-factor/confirm", Some(&access), Some(json!({"otp": otp}))).await.0
    };
    let url = &world.system.auth_env["AUTH__DATABASE__URL"];
    execute(url, "UPDATE second_factors SET confirmed_at = confirmed_at - 200000").unwrap();
    assert_eq!(confirm(&next).await, 409, "a code of a login, spent or not, shows no recovery codes");
    let typed = codes[0]
        .to_uppercase()
        .as_bytes()
        .chunks(4)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect::<Vec<_>>()
        .join("-");
    assert_eq!(log_in(Some(&typed)).await.0, 200, "a recovery code, however it is typed");
    assert_eq!(log_in(Some(&codes[0])).await.0, 401, "once");

    let grpc = async |otp: &str| {
        let message = ObtainPairRequest {
            username: USER.to_owned(),
            password: PASSWORD.to_owned(),
            otp: otp.to_owned(),
            ..ObtainPairRequest::default()
        };
        client(&world.system).await.obtain_pair(as_gateway(&world.system, message)).await
    };
    assert_eq!(grpc("").await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(grpc("000000").await.unwrap_err().code(), Code::Unauthenticated);
    grpc(&codes[1]).await.expect("the same over gRPC");
    assert_eq!(world.ask("GET", "/me", Some(&access), None).await.1["recovery_codes_left"], 8);

    let removal = |otp: Option<&str>| Some(json!({"current_password": PASSWORD, "otp": otp}));
    assert_eq!(
        world.ask("DELETE", "/second-factor", Some(&access), removal(None)).await.1["code"],
        "otp_required"
    );
    assert_eq!(world.ask("DELETE", "/second-factor", Some(&access), removal(Some(&codes[2]))).await.0, 204);
    assert_eq!(log_in(None).await.0, 200);
    // Anyone who has lost everything asks the operator.
    let (_, new) = world.ask("POST", "/second-factor", Some(&access), password()).await;
    let app = self::app(new["uri"].as_str().unwrap());
    let code = app.generate(unix_now()).to_string();
    assert_eq!(
        world.ask("POST", "/second-factor/confirm", Some(&access), Some(json!({"otp": code}))).await.0,
        200
    );
    assert_eq!(log_in(None).await.0, 401);
    assert_eq!(world.system.cli(&["user", "remove-second-factor", USER])["removed"], true);
    assert_eq!(log_in(None).await.0, 200);
    let log = world.system.auth.log();
    assert!(codes.iter().all(|code| !log.contains(code)) && !log.contains(new["secret"].as_str().unwrap()));
}

async fn sessions_are_seen_and_ended_by_their_owner_alone(database: Database) {
    let world = World::new(database, &[]).await;
    let url = world.system.auth_url("/api/token/");
    let mut tokens = Vec::new();
    for device in ["Firefox on the desk", "the old phone", "a borrowed one"] {
        let body = json!({"username": USER, "password": PASSWORD});
        let answer =
            world.system.http.post(&url).header("user-agent", device).json(&body).send().await.unwrap();
        let pair = answer.json::<Value>().await.unwrap();
        world.open_account(pair["access"].as_str().unwrap(), pair["refresh"].as_str().unwrap()).await;
        tokens.push(pair);
    }
    let access = |number: usize| tokens[number]["access"].as_str().unwrap();
    let (status, listed) = world.ask("GET", "/sessions", Some(access(0)), None).await;
    assert_eq!(status, 200);
    let listed = listed["sessions"].as_array().unwrap().clone();
    let of = |device: &str| listed.iter().find(|session| session["device"] == device).unwrap();
    assert_eq!(listed.len(), 3);
    assert_eq!(
        (&of("Firefox on the desk")["current"], &of("the old phone")["current"]),
        (&json!(true), &json!(false))
    );

    let _ = cli(
        world.system.folder.path(),
        &world.system.auth_env,
        &["user", "create", "mallory", "--password-stdin"],
        PASSWORD,
    );
    let (theirs, _) = world.login("mallory", PASSWORD).await.unwrap();
    let phone = format!("/sessions/{}", of("the old phone")["id"].as_str().unwrap());
    assert_eq!(world.ask("DELETE", &phone, Some(&theirs), None).await.0, 404, "another's, or none: the same");
    assert_eq!(world.ask("DELETE", &phone, Some(access(0)), None).await.0, 204);
    assert_eq!(world.ask("DELETE", &phone, Some(access(0)), None).await.0, 404);
    assert_eq!(world.ask("GET", "/me", Some(access(1)), None).await.0, 401);
    world.system.notes_come_to_refuse(access(1)).await;
    let (status, ended) = world.ask("DELETE", "/sessions", Some(access(0)), None).await;
    assert_eq!((status, ended), (200, json!({"sessions_ended": 1})));
    assert_eq!(
        world.ask("GET", "/sessions", Some(access(0)), None).await.1["sessions"].as_array().unwrap().len(),
        1
    );
    assert_eq!(world.ask("GET", "/me", Some(&theirs), None).await.0, 200, "nobody else's");
}

#[tokio::test]
async fn what_is_described_is_there_and_what_is_sent_wrong_is_named() {
    let world = World::new(Database::Sqlite, &[]).await;
    let described = world.system.http.get(world.system.auth_url("/api/openapi.json")).send().await.unwrap();
    let described: Value = described.json().await.unwrap();
    let mut asked = 0;
    for (path, operations) in described["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Some(path) = path.strip_prefix("/api/account/v1") else { continue };
            let path = path.replace("{id}", "x");
            let (status, _) = world.ask(&method.to_uppercase(), &path, None, None).await;
            let expected = if operation["security"].is_array() { 401 } else { 415 };
            assert_eq!(status, expected, "{method} {path}");
            asked += 1;
        }
    }
    assert_eq!(asked, 19);
    let page = world.system.http.get(world.system.auth_url("/docs/")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger"));

    let url = world.system.auth_url("/api/account/v1/registration");
    for (body, named) in [
        ("{\"username\":\"x\"}", "missing field `email`"),
        (
            "{\"username\":\"x\",\"email\":\"a@b.c\",\"password\":\"secret in the wrong place\",\"is_admin\":true}",
            "unknown field `is_admin`",
        ),
        ("{\"username\":[\"secret in the wrong place\"]}", "line 1"),
        ("nonsense", "line 1"),
        ("", "line 1"),
    ] {
        let request = world.system.http.post(&url).header("content-type", "application/json").body(body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
        assert!(!problem.to_string().contains("secret"));
    }
    let large =
        world.system.http.post(&url).json(&json!({"username": "x".repeat(20_000)})).send().await.unwrap();
    assert_eq!(large.status(), 413);

    // A token that another application got is for its use, and opens no account.
    let foreign = Protocol::Grpc.obtain(&world.system, USER, PASSWORD).await.unwrap();
    let (status, body) = world.ask("GET", "/me", Some(&foreign.access), None).await;
    assert_eq!((status, &body["code"]), (403, &json!("insufficient_scope")));
    // What a service is shown does not open the account either: it could read the address and end sessions with it.
    let shown = Protocol::Http.obtain(&world.system, USER, PASSWORD).await.unwrap();
    assert!(world.system.notes_accept(&shown.access).await);
    let (status, body) = world.ask("GET", "/me", Some(&shown.access), None).await;
    assert_eq!((status, &body["code"]), (403, &json!("insufficient_scope")));
    let (_, own) = world.post("/token", json!({"refresh": shown.refresh})).await;
    let own = own["access"].as_str().unwrap();
    assert_eq!(world.ask("GET", "/me", Some(own), None).await.0, 200);
    assert!(!world.system.notes_accept(own).await, "nor the reverse");
    Protocol::Http.refresh(&world.system, &shown.refresh).await.expect("it was not spent");
    for refresh in [shown.access.as_str(), foreign.refresh.as_str(), "a.b.c", ""] {
        assert_eq!(world.post("/token", json!({"refresh": refresh})).await.0, 401, "{refresh}");
    }
    for token in [foreign.refresh.as_str(), "a.b.c", "x"] {
        assert_eq!(world.ask("GET", "/me", Some(token), None).await.0, 401, "{token}");
    }
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_offered_that_needs_one() {
    let postbox = Postbox::start();
    let system = System::with(Database::Sqlite, &[]).await;
    let world = World { system, postbox, account_tokens: Mutex::default() };
    let body = json!({"username": "bob", "email": "bob@example.org", "password": NEW_PASSWORD});
    assert_eq!(world.post("/registration", body).await.1["code"], "not_offered");
    assert_eq!(
        world.post("/password/reset", json!({"email": "bob@example.org"})).await.1["code"],
        "not_offered"
    );
    let confirm = json!({"token": "x", "password": NEW_PASSWORD});
    assert_eq!(world.post("/registration/confirm", confirm).await.1["code"], "not_offered");
    let env = &world.system.auth_env;
    for (name, value, expected) in [
        ("AUTH__ACCOUNTS__REGISTRATION", "true", "needs mail.url"),
        ("AUTH__MAIL__URL", "smtp://mail.example.org", "tls=required"),
        ("AUTH__MAIL__URL", "http://x", "smtps://"),
        ("AUTH__ACCOUNTS__RESET_LINK", "https://app.example/reset", "{token}"),
        ("AUTH__PASSWORDS__MIN_CHARACTERS", "7", "8 to 64"),
    ] {
        let mut env = env.clone();
        env.insert(name.to_owned(), value.to_owned());
        let output = system_tests::processes::run(
            "auth-service",
            &["key", "list"],
            world.system.folder.path(),
            &env,
            "",
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{name}: {said}");
    }
}

#[tokio::test]
async fn an_email_that_has_to_wait_holds_no_other_up() {
    let world = World::new(Database::Sqlite, &[]).await;
    for name in ["later", "sooner"] {
        let email = format!("{name}@example.org");
        let body = json!({"username": name, "email": email, "password": NEW_PASSWORD});
        assert_eq!(world.post("/registration", body).await.0, 202);
    }
    eventually("both letters come", || async { (world.postbox.left() == 2).then_some(()) }).await;
    assert_eq!(world.postbox.written_to(), ["sooner@example.org", "later@example.org"]);
}

#[tokio::test]
async fn ten_one_time_passwords_are_looked_at_at_once_whatever_else_is_allowed() {
    let none =
        [("AUTH__LIMITS__PAIR", "0"), ("AUTH__LIMITS__ACCOUNT", "0"), ("AUTH__LIMITS__CLIENT_IP", "0")];
    let world = World::new(Database::Sqlite, &none).await;
    let (access, _) = world.login(USER, PASSWORD).await.unwrap();
    let body = Some(json!({"current_password": PASSWORD}));
    let (_, new) = world.ask("POST", "/second-factor", Some(&access), body).await;
    let app = app(new["uri"].as_str().unwrap());
    let code = app.generate(unix_now()).to_string();
    let body = Some(json!({"otp": code}));
    let (_, codes) = world.ask("POST", "/second-factor/confirm", Some(&access), body).await;
    let code = codes["recovery_codes"][0].as_str().unwrap();
    let request = |otp: &str| {
        let body = json!({"username": USER, "password": PASSWORD, "otp": otp});
        world.system.http.post(world.system.auth_url("/api/token/")).json(&body).send()
    };
    let log_in = async |otp: &str| request(otp).await.unwrap().status().as_u16();
    let mut guesses = JoinSet::new();
    for _ in 0..14 {
        guesses.spawn(request("no code"));
    }
    let guesses = guesses.join_all().await.into_iter().map(|answer| answer.unwrap().status().as_u16());
    let guesses: Vec<u16> = guesses.collect();
    let looked_at = guesses.iter().filter(|status| **status == 401).count();
    assert!(looked_at <= 10, "however many come at one moment: {guesses:?}");
    for _ in looked_at..10 {
        assert_eq!(log_in("no code").await, 401);
    }
    assert_eq!(log_in("no code").await, 429);
    assert_eq!(log_in(code).await, 429, "a right one too: nobody learns which it was");
    let removal = Some(json!({"current_password": PASSWORD, "otp": code}));
    assert_eq!(world.ask("DELETE", "/second-factor", Some(&access), removal).await.0, 429, "nor here");
}

#[tokio::test]
async fn a_mail_server_that_is_away_holds_nobody_up() {
    let postbox = Postbox::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smtp://{}", free.local_addr().unwrap());
    // It takes connections and says nothing.
    let system = System::with(Database::Sqlite, &[("AUTH__MAIL__URL", &url)]).await;
    let world = World { system, postbox, account_tokens: Mutex::default() };
    let begun = std::time::Instant::now();
    for number in 0..20 {
        let body = json!({"email": format!("somebody-{number}@example.org")});
        assert_eq!(world.post("/password/reset", body).await.0, 202);
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}
