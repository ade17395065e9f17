//! Tokens that only their audience can read, from registration to the resource service, and an implementation
//! of someone else's on either side.

use std::process::Command;

use system_tests::processes::run;
use system_tests::system::{GATEWAY, PASSWORD, USER};
use system_tests::{Database, Protocol, System, eventually, on_both_databases};

use super::django::python;

on_both_databases! {
    an_audience_with_an_encryption_key_gets_tokens_that_nobody_else_can_read
}

async fn an_audience_with_an_encryption_key_gets_tokens_that_nobody_else_can_read(database: Database) {
    let mut system = System::start(database).await;
    let key = system.folder.path().join("notes.pem");
    let public = run(
        "resource-service",
        &["encryption-key", key.to_str().unwrap()],
        system.folder.path(),
        &system.resource_env,
        "",
    );
    assert!(public.status.success(), "{public:?}");
    let jwks = system.folder.path().join("notes.jwks");
    std::fs::write(&jwks, &public.stdout).unwrap();
    let registered = ["audience", "encrypt", "notes", "--encryption-jwks", jwks.to_str().unwrap()];
    let registered = system.cli(&registered);
    let kid = registered["encryption_kid"].as_str().unwrap().to_owned();

    let sealed = eventually("tokens are encrypted", || async {
        let credentials = (GATEWAY, system.gateway_secret.as_str());
        let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
        (token.split('.').count() == 5).then_some(token)
    })
    .await;
    let pair = Protocol::Grpc.obtain(&system, USER, PASSWORD).await.unwrap();
    assert_eq!(pair.access.split('.').count(), 5, "people's too");
    assert_eq!(pair.refresh.split('.').count(), 3, "refresh tokens are for the authority");
    assert!(!system.notes_accept(&sealed).await, "without the key a token of five parts is refused");
    assert!(!Protocol::Http.is_active(&system, &sealed).await, "the authority cannot read it either");
    let revoke = system.http.post(system.auth_url("/oauth2/revoke")).form(&[("token", &sealed)]);
    let revoked = revoke.basic_auth(GATEWAY, Some(&system.gateway_secret)).send().await.unwrap();
    assert_eq!(revoked.status(), 400, "and does not say that it has revoked it");
    assert!(revoked.text().await.unwrap().contains("unsupported_token_type"));

    let file = key.display().to_string();
    system.resource_env.insert("RESOURCE__DECRYPTION_KEY_FILE".to_owned(), file);
    system.restart_resource().await;
    assert!(system.notes_accept(&sealed).await);
    assert!(system.notes_accept(&pair.access).await);
    Protocol::Grpc.end(&system, &pair.refresh).await.unwrap();
    system.notes_come_to_refuse(&pair.access).await;
    assert!(system.notes_accept(&sealed).await);

    // Another key from now on: what was made before is refused only by a service that has lost its key.
    let listed = system.cli(&["audience", "list"]);
    let notes = listed.as_array().unwrap().iter().find(|audience| audience["audience"] == "notes").unwrap();
    assert_eq!(notes["encryption_kid"], kid.as_str());
    let _ = system.cli(&["audience", "encrypt", "notes", "--off"]);
    let plain = eventually("tokens are in clear again", || async {
        let credentials = (GATEWAY, system.gateway_secret.as_str());
        let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
        (token.split('.').count() == 3).then_some(token)
    })
    .await;
    assert!(system.notes_accept(&plain).await && system.notes_accept(&sealed).await);
}

/// jwcrypto opens what we seal, and seals what we open.
#[tokio::test]
async fn an_implementation_of_someone_elses_reads_our_tokens_and_writes_ones_that_we_read() {
    const PROGRAM: &str = r"
import sys, json
from jwcrypto import jwk, jwe
what, key_file, token, other = sys.argv[1:]
key = jwk.JWK.from_pem(open(key_file, 'rb').read())
if what == 'open':
    box = jwe.JWE(); box.deserialize(token, key); print(box.payload.decode())
else:
    alg = 'RSA-OAEP-256' if key['kty'] == 'RSA' else 'ECDH-ES'
    header = {'alg': alg, 'enc': 'A256GCM', 'cty': 'JWT', 'kid': key.thumbprint(), **json.loads(other)}
    header = {name: value for name, value in header.items() if value is not None}
    box = jwe.JWE(token, json.dumps(header), recipient=key, algs=[header['alg'], header['enc']])
    print(box.serialize(compact=True))
";
    let mut system = System::start(Database::Sqlite).await;
    for kind in [
        &["-algorithm", "X25519"][..],
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["-algorithm", "RSA"],
    ] {
        let key = system.folder.path().join("key.pem");
        let made = Command::new("openssl").arg("genpkey").args(kind).arg("-out").arg(&key).output();
        assert!(made.expect("no openssl: apt-get install openssl").status.success());
        let arguments = ["encryption-key", key.to_str().unwrap()];
        let public = run("resource-service", &arguments, system.folder.path(), &system.resource_env, "");
        let jwks = system.folder.path().join("jwks");
        std::fs::write(&jwks, &public.stdout).unwrap();
        let secret = system.gateway_secret.clone();
        let credentials = (GATEWAY, secret.as_str());
        let plain = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
        let _ = system.cli(&["audience", "encrypt", "notes", "--encryption-jwks", jwks.to_str().unwrap()]);
        let sealed = eventually("tokens are encrypted", || async {
            let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
            (token.split('.').count() == 5).then_some(token)
        })
        .await;
        let theirs = |what: &str, token: &str, other: &str| {
            let program = ["-c", PROGRAM, what, key.to_str().unwrap(), token, other];
            let ran = Command::new(python()).args(program).output().unwrap();
            assert!(ran.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&ran.stderr));
            String::from_utf8(ran.stdout).unwrap().trim().to_owned()
        };
        assert_eq!(theirs("open", &sealed, "{}").split('.').count(), 3, "{kind:?}");
        let written_by_them = theirs("seal", &plain, "{}");
        system.resource_env.insert("RESOURCE__DECRYPTION_KEY_FILE".to_owned(), key.display().to_string());
        if kind.contains(&"RSA") {
            let refused = run("resource-service", &[], system.folder.path(), &system.resource_env, "");
            let said = String::from_utf8(refused.stderr).unwrap();
            assert_eq!(refused.status.code(), Some(1), "RSA has to be allowed");
            assert!(said.contains("allow_rsa_decryption") && said.lines().count() == 1, "{said}");
            system.resource_env.insert("RESOURCE__ALLOW_RSA_DECRYPTION".to_owned(), "true".to_owned());
        }
        system.restart_resource().await;
        assert!(
            system.notes_accept(&written_by_them).await && system.notes_accept(&sealed).await,
            "{kind:?}"
        );
        // Whole and good, but outside of the profile.
        for other in [
            r#"{"enc": "A128GCM"}"#,
            r#"{"enc": "A256CBC-HS512"}"#,
            r#"{"zip": "DEF"}"#,
            r#"{"cty": null}"#,
            r#"{"cty": "json"}"#,
            r#"{"kid": null}"#,
            r#"{"kid": "other"}"#,
            r#"{"x-unknown": 1}"#,
        ] {
            assert!(!system.notes_accept(&theirs("seal", &plain, other)).await, "{kind:?}: {other}");
        }
        let other =
            if kind.contains(&"RSA") { r#"{"alg": "RSA-OAEP"}"# } else { r#"{"alg": "ECDH-ES+A256KW"}"# };
        assert!(!system.notes_accept(&theirs("seal", &plain, other)).await, "{kind:?}: {other}");
        let _ = system.cli(&["audience", "encrypt", "notes", "--off"]);
        eventually("tokens are in clear again", || async {
            let token = Protocol::Http.client_token(&system, credentials, ("", "")).await.unwrap();
            (token.split('.').count() == 3).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn keys_that_cannot_work_are_refused_where_they_come_in() {
    use std::os::unix::fs::PermissionsExt;
    let system = System::start(Database::Sqlite).await;
    let path = |name: &str| system.folder.path().join(name);
    let create = |jwks: &str| {
        std::fs::write(path("jwks"), jwks).unwrap();
        let file = path("jwks").display().to_string();
        let arguments = ["audience", "create", "sealed", "--encryption-jwks", &file];
        run("auth-service", &arguments, system.folder.path(), &system.auth_env, "")
    };
    let private = r#"{"keys":[{"kty":"OKP","crv":"X25519","x":"AA","d":"AA"}]}"#;
    for (jwks, told) in [
        ("{}", "not a JWKS"),
        (r#"{"keys":[]}"#, "no key for"),
        (private, "private"),
        (r#"{"keys":[{"kty":"OKP","crv":"X25519","x":"AA","use":"enc"}]}"#, "curve"),
    ] {
        let refused = create(jwks);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(told), "{told}: {error}");
    }
    let list = system.cli(&["audience", "list"]);
    assert!(
        list.as_array().unwrap().iter().all(|audience| audience["audience"] != "sealed"),
        "nothing is left"
    );

    let start = |file: &str| {
        let mut env = system.resource_env.clone();
        env.insert("RESOURCE__DECRYPTION_KEY_FILE".to_owned(), path(file).display().to_string());
        let output = run("resource-service", &[], system.folder.path(), &env, "");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(start("absent.pem").contains("absent.pem"));
    std::fs::write(path("open.pem"), "x").unwrap();
    std::fs::set_permissions(path("open.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(start("open.pem").contains("chmod 600"));
    std::fs::set_permissions(path("open.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(start("open.pem").contains("PRIVATE KEY"));
}
