//! Signing keys over their life.

use serde_json::Value;
use system_tests::processes::run;
use system_tests::protocol::unverified_header;
use system_tests::system::{PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};

on_both_databases! {
    a_rotated_key_is_published_before_it_signs_and_loses_nobody
    a_rotation_at_once_reaches_the_resource_within_a_moment
    a_revoked_key_is_refused_and_replaced
    keys_rotate_by_themselves_when_their_time_has_come
    a_verifier_that_cached_the_key_set_before_holds_the_key_that_signs_next
    an_imported_key_signs_and_a_weak_one_is_refused
    a_new_default_algorithm_waits_for_its_lead
}

fn state_of<'a>(keys: &'a Value, kid: &str) -> &'a str {
    let keys = keys.as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).map_or("absent", |key| key["state"].as_str().unwrap())
}

fn kid(token: &str) -> String {
    unverified_header(token)["kid"].as_str().unwrap().to_owned()
}

async fn published(system: &System) -> Vec<String> {
    let answer = system.http.get(system.auth_url("/.well-known/jwks.json")).send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    body["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn access(system: &System) -> String {
    Protocol::Http.obtain(system, USER, PASSWORD).await.unwrap().access
}

async fn a_rotated_key_is_published_before_it_signs_and_loses_nobody(database: Database) {
    let lead = [("AUTH__KEYS__PUBLISH_LEAD", "3s"), ("AUTH__KEYS__ROTATION_PERIOD", "1h")];
    let system = System::with(database, &lead).await;
    let before = access(&system).await;
    let added = system.cli(&["key", "rotate"]);
    let new = added["kid"].as_str().unwrap();
    assert_eq!(state_of(&system.cli(&["key", "list"]), new), "published");
    eventually("the new key is in the key set", || async {
        published(&system).await.contains(&new.to_owned()).then_some(())
    })
    .await;
    assert_eq!(kid(&access(&system).await), kid(&before), "it does not sign yet");

    let after = eventually("the new key signs", || async {
        let token = access(&system).await;
        (kid(&token) == new).then_some(token)
    })
    .await;
    assert!(system.notes_accept(&after).await, "the first token of a new key is accepted at once");
    assert!(system.notes_accept(&before).await, "and the last tokens of the old one");
    assert_eq!(state_of(&system.cli(&["key", "list"]), &kid(&before)), "retired");
}

async fn a_rotation_at_once_reaches_the_resource_within_a_moment(database: Database) {
    let system = System::start(database).await;
    let before = access(&system).await;
    let added = system.cli(&["key", "rotate", "--now"]);
    let after = eventually("the new key signs", || async {
        let token = access(&system).await;
        (kid(&token) == added["kid"]).then_some(token)
    })
    .await;
    eventually("the notes accept the new key", || async {
        (system.notes_over_http(&after).await == 200).then_some(())
    })
    .await;
    assert!(system.notes_accept(&before).await);
}

async fn a_revoked_key_is_refused_and_replaced(database: Database) {
    let system = System::start(database).await;
    let before = access(&system).await;
    assert!(system.notes_accept(&before).await);
    // Also with a successor waiting for its lead: nobody waits five minutes for a token.
    let _ = system.cli(&["key", "rotate"]);
    let revoked = system.cli(&["key", "revoke", &kid(&before)]);
    assert_eq!(revoked["active"].as_array().unwrap().len(), 1, "another key has taken its place");
    system.notes_come_to_refuse(&before).await;
    let after = eventually("tokens flow again", || async {
        let token = access(&system).await;
        (kid(&token) != kid(&before) && system.notes_over_http(&token).await == 200).then_some(token)
    })
    .await;
    assert!(Protocol::Http.verify(&system, &before).await.is_err());
    Protocol::Http.verify(&system, &after).await.unwrap();
    assert!(!published(&system).await.contains(&kid(&before)));

    let again = run("auth-service", &["key", "revoke", "nokey"], system.folder.path(), &system.auth_env, "");
    assert_eq!(again.status.code(), Some(3), "no such thing");
}

async fn keys_rotate_by_themselves_when_their_time_has_come(database: Database) {
    // The shortest period that the settings allow is a minute; the lead lets the rotation be scheduled after 20 seconds
    // of it, and the first key is dated 5 seconds back.
    let settings = [("AUTH__KEYS__ROTATION_PERIOD", "60s"), ("AUTH__KEYS__PUBLISH_LEAD", "40s")];
    let system = System::with(database, &settings).await;
    let first = kid(&access(&system).await);
    let held = published(&system).await;
    assert_eq!(held.len(), 2, "one key signs, one stands by: {held:?}");
    let all = eventually("a successor is scheduled, and the next key stands by", || async {
        let keys = published(&system).await;
        (keys.len() == 3).then_some(keys)
    })
    .await;
    assert!(held.iter().all(|key| all.contains(key)));
    assert_eq!(kid(&access(&system).await), first, "the successor waits for its lead");
    let keys = system.cli(&["key", "list"]);
    let mut states: Vec<_> = all.iter().map(|kid| state_of(&keys, kid)).collect();
    states.sort_unstable();
    assert_eq!(states, ["active", "published", "standby"], "one of each, not one for each poll: {keys}");
    let successor = all.iter().find(|kid| state_of(&keys, kid) == "published").unwrap();
    assert!(held.contains(successor), "the standby key takes over");
}

/// PyJWT, jose, oauth4webapi and others ask for the key set again only after a pause: what signs after a rotation at
/// once, or a revocation, must be in the set that they fetched long before.
async fn a_verifier_that_cached_the_key_set_before_holds_the_key_that_signs_next(database: Database) {
    let system = System::start(database).await;
    for step in ["rotate", "revoke", "rotate", "revoke"] {
        let cached = published(&system).await;
        let before = kid(&access(&system).await);
        let next = match step {
            "rotate" => system.cli(&["key", "rotate", "--now"])["kid"].as_str().unwrap().to_owned(),
            _ => system.cli(&["key", "revoke", &before])["active"][0].as_str().unwrap().to_owned(),
        };
        assert!(cached.contains(&next), "{step}: {next} was not in {cached:?}");
        let after = eventually("the next key signs", || async {
            let signs = kid(&access(&system).await);
            (signs != before).then_some(signs)
        })
        .await;
        assert_eq!(after, next, "{step}");
        eventually("one more stands by", || async {
            let keys = system.cli(&["key", "list"]);
            let standby: Vec<_> = published(&system).await;
            standby.iter().any(|kid| state_of(&keys, kid) == "standby").then_some(())
        })
        .await;
    }
}

async fn an_imported_key_signs_and_a_weak_one_is_refused(database: Database) {
    let system = System::start(database).await;
    let file = |name: &str| system.folder.path().join(name);
    let make = |arguments: &[&str], name: &str| {
        let made = std::process::Command::new("openssl").args(arguments).arg("-out").arg(file(name)).output();
        assert!(made.expect("openssl: run `apt-get install openssl`").status.success(), "{arguments:?}");
    };
    make(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "ec.pem");
    make(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "weak.pem");
    make(
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "rsa_keygen_bits:2048",
            "-pkeyopt",
            "rsa_keygen_pubexp:3",
        ],
        "e3.pem",
    );
    make(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "p384.pem");
    let import = |name: &str, algorithm: &str| {
        let path = file(name);
        let arguments = ["key", "import", path.to_str().unwrap(), "--algorithm", algorithm, "--json"];
        run("auth-service", &arguments, system.folder.path(), &system.auth_env, "")
    };
    let wrong = [
        ("weak.pem", "RS256"),
        ("e3.pem", "RS256"),
        ("p384.pem", "ES256"),
        ("ec.pem", "EdDSA"),
        ("nothing.pem", "ES256"),
    ];
    for (name, algorithm) in wrong {
        let refused = import(name, algorithm);
        assert_eq!(refused.status.code(), Some(2), "{name} as {algorithm}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(name), "the file is named");
    }
    let imported = import("ec.pem", "ES256");
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let imported: Value = serde_json::from_slice(&imported.stdout).unwrap();
    eventually("the imported key is published", || async {
        published(&system).await.contains(&imported["kid"].as_str().unwrap().to_owned()).then_some(())
    })
    .await;
    assert_eq!(import("ec.pem", "ES256").status.code(), Some(3), "it is in the ring already");
}

async fn a_new_default_algorithm_waits_for_its_lead(database: Database) {
    let mut system = System::start(database).await;
    let before = access(&system).await;
    system.auth.signal(rustix::process::Signal::TERM);
    system.auth_env.insert("AUTH__KEYS__ALGORITHM".to_owned(), "ES256".to_owned());
    system.auth_env.insert("AUTH__KEYS__PUBLISH_LEAD".to_owned(), "2s".to_owned());
    system.restart_auth().await;
    assert_eq!(kid(&access(&system).await), kid(&before), "the old key signs meanwhile");
    let after = eventually("the new algorithm signs", || async {
        let token = access(&system).await;
        (unverified_header(&token)["alg"] == "ES256").then_some(token)
    })
    .await;
    assert!(system.notes_accept(&after).await);
    assert!(system.notes_accept(&before).await);
}
