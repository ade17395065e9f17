//! Services: tokens for themselves, questions about tokens.

use reqwest::StatusCode;
use serde_json::{Value, json};
use system_tests::protocol::{unverified_claims, unverified_header};
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{
    Database, Protocol, Refused, System, eventually, on_both_databases, over_both_protocols_on_both_databases,
};

over_both_protocols_on_both_databases! {
    a_client_gets_a_token_for_itself_and_uses_it
    scope_only_narrows_and_audiences_are_registered
    a_token_for_another_audience_or_scope_is_refused_at_the_resource
    an_unknown_or_disabled_client_is_refused
    an_audience_may_have_an_algorithm_of_its_own
}

on_both_databases! {
    a_client_secret_can_be_changed_without_a_gap
    a_token_tells_only_those_whom_it_concerns
    a_client_introspects_for_the_audiences_that_it_is_given
    an_audience_may_have_tokens_of_the_plain_type
    a_client_revokes_its_own_tokens_only
    a_refresh_token_is_bound_to_its_client
    the_token_endpoint_answers_as_rfc_6749_says
}

async fn a_client_gets_a_token_for_itself_and_uses_it(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let token = protocol.client_token(&system, credentials, ("", "")).await.unwrap();
    let claims = unverified_claims(&token);
    assert_eq!(claims["sub"], "client:gateway", "a machine's subject is no person's");
    assert_eq!(claims["scope"], "notes:read notes:write");
    assert!(claims["sid"].is_null());
    assert!(system.notes_accept(&token).await);
    assert!(protocol.is_active(&system, &token).await);
    protocol.verify(&system, &token).await.unwrap();
}

async fn scope_only_narrows_and_audiences_are_registered(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let narrowed = protocol.client_token(&system, credentials, ("notes:read", "notes")).await.unwrap();
    assert_eq!(unverified_claims(&narrowed)["scope"], "notes:read");
    let refused = |word: &str| Err(Refused::Client(word.to_owned()));
    let table = [
        (("notes:read admin", ""), "invalid_scope"),
        (("notes:read  notes:write", ""), "invalid_scope"),
        (("\"", ""), "invalid_scope"),
        (("", "payments"), "invalid_target"),
        (("", "Notes"), "invalid_target"),
    ];
    for (asked, word) in table {
        assert_eq!(protocol.client_token(&system, credentials, asked).await, refused(word), "{asked:?}");
    }
}

async fn a_token_for_another_audience_or_scope_is_refused_at_the_resource(
    protocol: Protocol,
    database: Database,
) {
    let system = System::start(database).await;
    let _ = system.cli(&["audience", "create", "api://payments"]);
    let created = system.cli(&[
        "client",
        "create",
        "billing",
        "--scope",
        "notes:read",
        "--audience",
        "api://payments",
        "--audience",
        "notes",
    ]);
    let credentials = ("billing", created["client_secret"].as_str().unwrap());

    let elsewhere = protocol.client_token(&system, credentials, ("", "")).await.unwrap();
    assert_eq!(unverified_claims(&elsewhere)["aud"], "api://payments");
    assert!(!system.notes_accept(&elsewhere).await);

    let reader = protocol.client_token(&system, credentials, ("notes:read", "notes")).await.unwrap();
    assert!(system.notes_accept(&reader).await);
    let request =
        system.http.post(system.resource_url("/notes")).bearer_auth(&reader).json(&json!({"text": "x"}));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
    assert_eq!(challenge, "Bearer error=\"insufficient_scope\", scope=\"notes:write\"");
}

async fn an_unknown_or_disabled_client_is_refused(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    let refused = Err(Refused::Client("invalid_client".to_owned()));
    let secret = system.gateway_secret.as_str();
    for credentials in [("nobody", secret), (GATEWAY, "wrong"), (GATEWAY, ""), ("no such id", secret)] {
        assert_eq!(protocol.client_token(&system, credentials, ("", "")).await, refused, "{credentials:?}");
    }
    let token = protocol.client_token(&system, (GATEWAY, secret), ("", "")).await.unwrap();
    assert!(system.notes_accept(&token).await);
    let _ = system.cli(&["client", "disable", GATEWAY]);
    eventually("the disabled client is refused", || async {
        (protocol.client_token(&system, (GATEWAY, secret), ("", "")).await == refused).then_some(())
    })
    .await;
    assert!(!protocol.is_active(&system, &token).await);
    system.notes_come_to_refuse(&token).await;
}

async fn an_audience_may_have_an_algorithm_of_its_own(protocol: Protocol, database: Database) {
    let system = System::start(database).await;
    for algorithm in ["RS256", "ES256"] {
        let (audience, id) = (format!("api://{algorithm}"), format!("client-{algorithm}"));
        let _ = system.cli(&["audience", "create", &audience, "--algorithm", algorithm]);
        let created = system.cli(&["client", "create", &id, "--audience", &audience]);
        let secret = created["client_secret"].as_str().unwrap();
        let token = eventually("the first key of the algorithm signs", || async {
            protocol.client_token(&system, (&id, secret), ("", "")).await.ok()
        })
        .await;
        assert_eq!(unverified_header(&token)["alg"], algorithm);
        protocol.verify(&system, &token).await.unwrap();
    }
    let credentials = (GATEWAY, system.gateway_secret.as_str());
    let other = protocol.client_token(&system, credentials, ("", "")).await.unwrap();
    assert_eq!(unverified_header(&other)["alg"], "EdDSA", "other audiences keep the default");
}

async fn a_client_secret_can_be_changed_without_a_gap(database: Database) {
    let system = System::start(database).await;
    let old = system.gateway_secret.as_str();
    let works =
        async |secret: &str| Protocol::Http.client_token(&system, (GATEWAY, secret), ("", "")).await.is_ok();
    let changed = system.cli(&["client", "secret", GATEWAY, "--overlap", "600"]);
    let new = changed["client_secret"].as_str().unwrap();
    eventually("the new secret works", || async { works(new).await.then_some(()) }).await;
    assert!(works(old).await, "the old one works during the overlap");
    let changed = system.cli(&["client", "secret", GATEWAY]);
    let newest = changed["client_secret"].as_str().unwrap();
    eventually("the newest secret works", || async { works(newest).await.then_some(()) }).await;
    assert!(!works(new).await && !works(old).await, "without an overlap the old one ends at once");
}

async fn introspect(system: &System, (id, secret): (&str, &str), token: &str) -> Value {
    let request = system.http.post(system.auth_url("/oauth2/introspect")).basic_auth(id, Some(secret));
    let answer = request.form(&[("token", token)]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    answer.json().await.unwrap()
}

async fn a_token_tells_only_those_whom_it_concerns(database: Database) {
    let system = System::start(database).await;
    let created = system.cli(&["client", "create", "stranger", "--audience", "notes"]);
    let stranger = ("stranger", created["client_secret"].as_str().unwrap());
    let (gateway, notes) =
        ((GATEWAY, system.gateway_secret.as_str()), ("notes", system.notes_secret.as_str()));
    let pair = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();

    let told = introspect(&system, notes, &pair.access).await;
    assert_eq!((&told["active"], &told["username"]), (&json!(true), &json!(USER)));
    assert_eq!((&told["token_type"], &told["client_id"]), (&json!("Bearer"), &json!(GATEWAY)));
    let claims = unverified_claims(&pair.access);
    for name in ["sub", "iss", "jti", "exp", "iat", "scope"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    assert_eq!(introspect(&system, gateway, &pair.access).await["active"], true);
    assert_eq!(introspect(&system, gateway, &pair.refresh).await["active"], true);

    let inactive = json!({"active": false});
    assert_eq!(introspect(&system, stranger, &pair.access).await, inactive);
    assert_eq!(
        introspect(&system, notes, &pair.refresh).await,
        inactive,
        "refresh tokens are their client's"
    );
    for garbage in ["x", "a.b.c", &"x".repeat(10_000)] {
        assert_eq!(introspect(&system, notes, garbage).await, inactive);
    }
    let unauthenticated = system.http.post(system.auth_url("/oauth2/introspect")).form(&[("token", "x")]);
    assert_eq!(unauthenticated.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

/// A resource server whose audience is a URI, which is no client id.
async fn a_client_introspects_for_the_audiences_that_it_is_given(database: Database) {
    let system = System::start(database).await;
    for audience in ["https://orders.test/", "https://other.test/"] {
        let _ = system.cli(&["audience", "create", audience]);
    }
    let refused = system.cli_fails(&["client", "create", "x", "--introspects", "https://unknown.test/"]);
    assert!(refused.contains("audience create https://unknown.test/"), "{refused}");
    let created = system.cli(&["client", "create", "orders", "--introspects", "https://orders.test/"]);
    assert_eq!(created["introspects"], json!(["https://orders.test/"]));
    let orders = ("orders", created["client_secret"].as_str().unwrap().to_owned());
    let created = system.cli(&[
        "client",
        "create",
        "shop",
        "--audience",
        "https://orders.test/",
        "--audience",
        "https://other.test/",
    ]);
    let shop = ("shop", created["client_secret"].as_str().unwrap());
    for (audience, active) in [("https://orders.test/", true), ("https://other.test/", false)] {
        let token = eventually("the client is known", || async {
            Protocol::Http.client_token(&system, shop, ("", audience)).await.ok()
        })
        .await;
        let told = introspect(&system, (orders.0, &orders.1), &token).await;
        assert_eq!(told["active"], active, "{audience}: {told}");
    }
}

/// For verifiers that know no at+jwt. Ours go on to demand it.
async fn an_audience_may_have_tokens_of_the_plain_type(database: Database) {
    let system = System::start(database).await;
    let refused = system.cli_fails(&["audience", "create", "https://spring.test/", "--typ", "jwt+at"]);
    assert!(refused.contains("at+jwt or JWT"), "{refused}");
    let made = system.cli(&["audience", "create", "https://spring.test/", "--typ", "JWT"]);
    assert_eq!(made["typ"], "JWT");
    let created = system.cli(&[
        "client",
        "create",
        "shop",
        "--audience",
        "https://spring.test/",
        "--audience",
        "notes",
        "--scope",
        "notes:read",
    ]);
    let shop = ("shop", created["client_secret"].as_str().unwrap());
    let token = async |audience: &str| {
        eventually("the client is known", || async {
            Protocol::Http.client_token(&system, shop, ("", audience)).await.ok()
        })
        .await
    };
    let plain = token("https://spring.test/").await;
    assert_eq!(unverified_header(&plain)["typ"], "JWT");
    assert_eq!(introspect(&system, shop, &plain).await["active"], true);
    assert!(!system.notes_accept(&plain).await, "another audience, and another type");
    let notes = token("notes").await;
    assert_eq!(unverified_header(&notes)["typ"], "at+jwt", "other audiences keep theirs");
    assert!(system.notes_accept(&notes).await);
    assert_eq!(revoke(&system, shop, &plain).await, StatusCode::OK);
    assert_eq!(introspect(&system, shop, &plain).await["active"], false);
}

async fn revoke(system: &System, (id, secret): (&str, &str), token: &str) -> StatusCode {
    let request = system.http.post(system.auth_url("/oauth2/revoke")).basic_auth(id, Some(secret));
    request.form(&[("token", token)]).send().await.unwrap().status()
}

async fn a_client_revokes_its_own_tokens_only(database: Database) {
    let system = System::start(database).await;
    let gateway = (GATEWAY, system.gateway_secret.as_str());
    let notes = ("notes", system.notes_secret.as_str());
    let one = Protocol::Http.client_token(&system, gateway, ("", "")).await.unwrap();
    let other = Protocol::Http.client_token(&system, gateway, ("", "")).await.unwrap();
    let pair = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();
    assert!(system.notes_accept(&one).await);

    for token in [&one, &pair.access, &pair.refresh] {
        assert_eq!(revoke(&system, notes, token).await, 200, "RFC 7009 section 2.2: no error");
        assert_eq!(Protocol::Http.verify(&system, token).await, Ok(()), "another client's token stays alive");
    }
    assert_eq!(revoke(&system, gateway, "unknown").await, 200);

    assert_eq!(revoke(&system, gateway, &one).await, 200);
    assert_eq!(revoke(&system, gateway, &one).await, 200, "twice is no error");
    assert!(!Protocol::Http.is_active(&system, &one).await);
    system.notes_come_to_refuse(&one).await;
    assert!(system.notes_accept(&other).await, "one token was taken back, not the client");

    assert_eq!(revoke(&system, gateway, &pair.access).await, 200);
    system.notes_come_to_refuse(&pair.access).await;
    let next = Protocol::Grpc.refresh(&system, &pair.refresh).await.unwrap();
    assert!(system.notes_accept(&next.access).await, "the session goes on");
    assert_eq!(revoke(&system, gateway, &next.refresh).await, 200);
    assert_eq!(Protocol::Grpc.refresh(&system, &next.refresh).await, Err(Refused::Revoked));
    system.notes_come_to_refuse(&next.access).await;
}

async fn a_refresh_token_is_bound_to_its_client(database: Database) {
    let system = System::start(database).await;
    let created =
        system.cli(&["client", "create", "thief", "--grant", "refresh_token", "--audience", "notes"]);
    let secret = created["client_secret"].as_str().unwrap();
    let pair = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", pair.refresh.as_str())];
    let request = system.http.post(system.auth_url("/oauth2/token")).basic_auth("thief", Some(secret));
    let answer = request.form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_grant");
    // simplejwt's endpoint knows no client, so it must not be a way around client authentication.
    assert_eq!(Protocol::Http.refresh(&system, &pair.refresh).await, Err(Refused::InvalidToken));
    assert_eq!(Protocol::Http.end(&system, &pair.refresh).await, Err(Refused::InvalidToken));

    let next = Protocol::Grpc.refresh(&system, &pair.refresh).await.expect("nothing was spent");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &next.refresh), ("scope", "notes:read")];
    let request =
        system.http.post(system.auth_url("/oauth2/token")).basic_auth(GATEWAY, Some(&system.gateway_secret));
    let answer: Value = request.form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["scope"], "notes:read", "{answer}");
    assert!(answer["refresh_token"].is_string());
}

async fn the_token_endpoint_answers_as_rfc_6749_says(database: Database) {
    let system = System::start(database).await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", GATEWAY),
        ("client_secret", system.gateway_secret.as_str()),
    ];
    let answer = system.http.post(system.auth_url("/oauth2/token")).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 200, "credentials in the body work as well");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["pragma"], "no-cache");
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(300)));
    assert!(body["refresh_token"].is_null(), "a machine needs none (RFC 6749 section 4.4.3)");
}
