//! The day of the move: sessions that were begun at simplejwt go on here, and what it had revoked stays refused.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use shared_claims::clock::unix_now;
use system_tests::processes::{Service, run};
use system_tests::protocol::unverified_claims;
use system_tests::system::PASSWORD;
use system_tests::{Database, System, eventually, on_both_databases};

use super::Project;

on_both_databases! {
    a_session_of_the_old_system_is_exchanged_once_and_goes_on_here
    an_old_token_that_is_no_good_there_is_no_good_here
    without_rotation_a_session_keeps_its_refresh_token
    sliding_tokens_go_on_until_the_end_of_their_refresh_time
}

const SECRET: &str = "only for this test, and long enough for HS256";
const REFRESH: &str = "/api/token/refresh/";
const VERIFY: &str = "/api/token/verify/";
const BLACKLIST: &str = "/api/token/blacklist/";
const SLIDING: &str = "/api/token/sliding/refresh/";

/// A project with accounts, and an authority that they have moved to.
struct Moved {
    project: Project,
    system: System,
    _key: tempfile::TempDir,
}

impl Moved {
    async fn new(database: Database, settings: &[(&str, &str)]) -> Self {
        Self::with_key(database, &json!({}), SECRET, settings).await
    }

    async fn with_key(database: Database, config: &Value, key: &str, settings: &[(&str, &str)]) -> Self {
        let project = Project::new(Database::Sqlite, config);
        project.manage(&["seed", "7"]);
        let folder = tempfile::tempdir().unwrap();
        let file = key_file(folder.path(), key);
        let legacy = [
            ("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", file.as_str()),
            ("AUTH__SIMPLEJWT__LEGACY_UNTIL", "2099-01-01T00:00:00Z"),
        ];
        let system = System::with(database, &[&legacy, settings].concat()).await;
        let moved = Self { project, system, _key: folder };
        moved.import();
        moved
    }

    fn import(&self) {
        let dump = self.project.dump();
        let arguments = ["import", "django", dump.to_str().unwrap()];
        let _ = run("auth-service", &arguments, self.system.folder.path(), &self.system.auth_env, "");
    }

    /// Tokens that the old system has issued.
    fn tokens(&self, name: &str) -> Value {
        let all: Value = serde_json::from_str(&self.project.manage(&["tokens", name])).unwrap();
        all[name].clone()
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.system.http.post(self.system.auth_url(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn refresh(&self, token: &Value) -> (u16, Value) {
        self.post(REFRESH, json!({"refresh": token})).await
    }
}

fn key_file(folder: &Path, key: &str) -> String {
    let file = folder.join("legacy.key");
    fs::write(&file, format!("{key}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn a_session_of_the_old_system_is_exchanged_once_and_goes_on_here(database: Database) {
    let moved = Moved::new(database, &[]).await;
    let old = moved.tokens("scrypt-5");
    assert_eq!(moved.post(VERIFY, json!({"token": old["access"]})).await.0, 200);
    assert_eq!(moved.post(VERIFY, json!({"token": old["refresh"]})).await.0, 200);
    let (status, first) = moved.refresh(&old["refresh"]).await;
    assert_eq!(status, 200, "{first}");
    assert_eq!(unverified_claims(first["access"].as_str().unwrap())["user_id"], "6");
    assert!(moved.system.notes_accept(first["access"].as_str().unwrap()).await);
    let (status, retried) = moved.refresh(&old["refresh"]).await;
    assert_eq!((status, &retried["refresh"]), (200, &first["refresh"]), "a lost answer loses no session");
    assert_eq!(moved.post(VERIFY, json!({"token": old["refresh"]})).await.0, 401, "it is used up");

    let (status, second) = moved.refresh(&first["refresh"]).await;
    assert_eq!(status, 200);
    let (status, body) = moved.refresh(&old["refresh"]).await;
    assert_eq!((status, &body["detail"]), (401, &json!("Token is blacklisted")), "a thief comes late");
    assert_eq!(moved.refresh(&second["refresh"]).await.0, 401, "and the session is over for both");

    // Twenty callers at two replicas at once, as a browser with many tabs would.
    let other = Service::start("auth-service", moved.system.folder.path(), &moved.system.auth_env).await;
    let old = moved.tokens("md5-6");
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let address = if number % 2 == 0 { moved.system.auth.http } else { other.http };
        let request = moved.system.http.post(format!("http://{address}{REFRESH}"));
        let request = request.json(&json!({"refresh": old["refresh"]}));
        callers.spawn(async move {
            request.send().await.unwrap().json::<Value>().await.unwrap()["refresh"].clone()
        });
    }
    let mut successors = callers.join_all().await;
    successors.dedup();
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert!(successors[0].is_string());
}

async fn an_old_token_that_is_no_good_there_is_no_good_here(database: Database) {
    let moved = Moved::new(database, &[]).await;
    let [blacklisted, disabled, changed, fresh] =
        ["md5-6", "scrypt-5", "bcrypt-4", "argon2-2"].map(|name| moved.tokens(name));
    moved.project.manage(&["blacklist", blacklisted["refresh"].as_str().unwrap()]);
    moved.project.manage(&["change", "scrypt-5", r#"{"is_active": false}"#]);
    moved.import();
    let here = ["user", "passwd", "bcrypt-4", "--password-stdin"];
    let _ = system_tests::system::cli(
        moved.system.folder.path(),
        &moved.system.auth_env,
        &here,
        "set at the new place",
    );
    let stranger = Project::new(
        Database::Sqlite,
        &json!({"secret_key": "another secret, and long enough for HS256 too"}),
    );
    stranger.manage(&["seed", "7"]);
    let forged: Value = serde_json::from_str(&stranger.manage(&["tokens", "argon2-2"])).unwrap();
    let unsigned = format!("{}.", fresh["refresh"].as_str().unwrap().rsplit_once('.').unwrap().0);
    for (what, token, detail) in [
        ("blacklisted there", &blacklisted["refresh"], "Token is blacklisted"),
        (
            "of an account that is disabled",
            &disabled["refresh"],
            "No active account found for the given token.",
        ),
        (
            "from before the password was changed",
            &changed["refresh"],
            "No active account found for the given token.",
        ),
        ("under another key", &forged["argon2-2"]["refresh"], "Token is invalid"),
        ("without its signature", &json!(unsigned), "Token is invalid"),
        ("an access token", &fresh["access"], "Token has wrong type"),
        ("a sliding token", &fresh["sliding"], "Token has wrong type"),
    ] {
        let (status, body) = moved.refresh(token).await;
        assert_eq!((status, body["detail"].as_str().unwrap()), (401, detail), "{what}");
    }
    // Blacklisted here, before it was exchanged and after.
    assert_eq!(moved.post(BLACKLIST, json!({"refresh": fresh["refresh"]})).await.0, 200);
    assert_eq!(moved.post(BLACKLIST, json!({"refresh": fresh["refresh"]})).await.0, 401);
    assert_eq!(moved.refresh(&fresh["refresh"]).await.0, 401);
    let later = moved.tokens("argon2-2");
    let (_, pair) = moved.refresh(&later["refresh"]).await;
    assert_eq!(moved.post(BLACKLIST, json!({"refresh": later["refresh"]})).await.0, 200);
    assert_eq!(moved.refresh(&pair["refresh"]).await.0, 401);
    moved.system.notes_come_to_refuse(pair["access"].as_str().unwrap()).await;
    assert_eq!(moved.post(SLIDING, json!({"token": fresh["sliding"]})).await.0, 404, "not offered");
    assert!(!moved.system.auth.log().contains("panicked"));
}

async fn without_rotation_a_session_keeps_its_refresh_token(database: Database) {
    let moved = Moved::new(database, &[("AUTH__SIMPLEJWT__ROTATE_REFRESH_TOKENS", "false")]).await;
    let old = moved.tokens("scrypt-5")["refresh"].clone();
    let form = json!({"username": "md5-6", "password": PASSWORD});
    let own = moved.post("/api/token/", form).await.1["refresh"].clone();
    for token in [&old, &own] {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (status, body) = moved.refresh(token).await;
            assert_eq!(status, 200, "{body}");
            assert_eq!(
                body.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["access"],
                "as simplejwt answers"
            );
            seen.push(body["access"].clone());
        }
        seen.dedup();
        assert_eq!(seen.len(), 3, "a new access token each time");
        assert_eq!(moved.post(VERIFY, json!({"token": token})).await.0, 200);
        assert_eq!(moved.post(BLACKLIST, json!({"refresh": token})).await.0, 200);
        let (status, body) = moved.refresh(token).await;
        assert_eq!((status, &body["detail"]), (401, &json!("Token is blacklisted")));
        moved.system.notes_come_to_refuse(seen[2].as_str().unwrap()).await;
    }
}

async fn sliding_tokens_go_on_until_the_end_of_their_refresh_time(database: Database) {
    let settings = [("AUTH__SIMPLEJWT__SLIDING", "true"), ("AUTH__SIMPLEJWT__SLIDING_TTL", "10m")];
    let moved = Moved::new(database, &settings).await;
    let form = json!({"username": "scrypt-5", "password": PASSWORD});
    let (status, own) = moved.post("/api/token/sliding/", form).await;
    assert_eq!((status, own.as_object().unwrap().len()), (200, 1), "{own}");
    let own = own["token"].as_str().unwrap();
    let claims = unverified_claims(own);
    assert_eq!(claims["token_type"], "sliding");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    // The session begins before the password is hashed, the token after.
    assert!(claims["refresh_exp"].as_u64().unwrap() >= claims["iat"].as_u64().unwrap() + 86_400 - 60);
    assert!(moved.system.notes_accept(own).await, "it is an access token");
    let old = moved.tokens("scrypt-5")["sliding"].clone();
    for token in [json!(own), old] {
        let (status, next) = moved.post(SLIDING, json!({"token": token})).await;
        assert_eq!(status, 200, "{next}");
        assert_eq!(moved.post(SLIDING, json!({"token": token})).await.0, 200, "as often as it is asked for");
        let next = next["token"].as_str().unwrap();
        let again = moved.post(SLIDING, json!({"token": next})).await.1["token"].as_str().unwrap().to_owned();
        assert_eq!(
            unverified_claims(&again)["jti"],
            unverified_claims(next)["jti"],
            "one id for all of them"
        );
        assert!(moved.system.notes_accept(&again).await);
    }
    let pair = moved.tokens("md5-6");
    let access = moved.refresh(&pair["refresh"]).await.1["access"].clone();
    for (what, token) in [
        ("an access token of ours", access),
        ("of theirs", pair["access"].clone()),
        ("garbage", json!("a.b.c")),
    ] {
        assert_eq!(moved.post(SLIDING, json!({"token": token})).await.0, 401, "{what}");
    }
    let _ = moved.system.cli(&["user", "disable", "scrypt-5"]);
    assert_eq!(moved.post(SLIDING, json!({"token": own})).await.0, 401);
}

#[tokio::test]
async fn an_old_key_pair_serves_as_well_as_an_old_secret() {
    let folder = tempfile::tempdir().unwrap();
    let pem = |arguments: &[&str], name: &str| {
        let path = folder.path().join(name);
        let (command, rest) = arguments.split_first().unwrap();
        let mut openssl = std::process::Command::new("openssl");
        let made = openssl.arg(command).arg("-out").arg(&path).args(rest).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (fs::read_to_string(&path).unwrap(), path.to_str().unwrap().to_owned())
    };
    let (_, private) = pem(&["genrsa", "2048"], "private.pem");
    let (public, _) = pem(&["rsa", "-in", &private, "-pubout"], "public.pem");
    let config = json!({"simple_jwt": format!(
        "{{'ALGORITHM': 'RS256', 'SIGNING_KEY': {:?}, 'VERIFYING_KEY': {:?}, 'ISSUER': 'them', 'AUDIENCE': 'api'}}",
        fs::read_to_string(&private).unwrap(), public,
    )});
    let settings = [
        ("AUTH__SIMPLEJWT__LEGACY_ALGORITHM", "RS256"),
        ("AUTH__SIMPLEJWT__LEGACY_ISSUER", "them"),
        ("AUTH__SIMPLEJWT__LEGACY_AUDIENCE", "api"),
    ];
    let moved = Moved::with_key(Database::Sqlite, &config, &public, &settings).await;
    let old = moved.tokens("argon2-2");
    assert_eq!(moved.refresh(&old["refresh"]).await.0, 200);
}

#[tokio::test]
async fn the_old_key_is_refused_after_its_day_and_wrong_ones_end_the_start() {
    let moved =
        Moved::new(Database::Sqlite, &[("AUTH__SIMPLEJWT__LEGACY_UNTIL", "2026-01-01T00:00:00Z")]).await;
    let old = moved.tokens("argon2-2");
    let (status, body) = moved.refresh(&old["refresh"]).await;
    assert_eq!((status, &body["detail"]), (401, &json!("Token is invalid")));
    let folder = tempfile::tempdir().unwrap();
    let file = key_file(folder.path(), SECRET);
    let short = folder.path().join("short.key");
    fs::write(&short, "short").unwrap();
    fs::set_permissions(&short, fs::Permissions::from_mode(0o600)).unwrap();
    let open = folder.path().join("open.key");
    fs::write(&open, SECRET).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let until = ("AUTH__SIMPLEJWT__LEGACY_UNTIL", "2099-01-01T00:00:00Z");
    let key = |path: &Path| path.to_str().unwrap().to_owned();
    for (settings, expected) in [
        (vec![("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", file.clone())], "needs simplejwt.legacy_until"),
        (
            vec![("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", key(&short)), (until.0, until.1.to_owned())],
            "could be guessed",
        ),
        (vec![("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", key(&open)), (until.0, until.1.to_owned())], "chmod 600"),
        (
            vec![("AUTH__SIMPLEJWT__LEGACY_KEY_FILE", "/nowhere".to_owned()), (until.0, until.1.to_owned())],
            "/nowhere",
        ),
        (vec![("AUTH__SIMPLEJWT__LEGACY_UNTIL", "tomorrow".to_owned())], "2026-12-24T18:00:00Z"),
    ] {
        let mut env = moved.system.auth_env.clone();
        env.retain(|name, _| !name.contains("LEGACY"));
        env.extend(settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let output = run("auth-service", &["key", "list"], folder.path(), &env, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{expected}: {said}");
        assert!(!said.contains(SECRET));
    }
}

#[tokio::test]
async fn the_word_before_a_token_and_the_leeway_are_as_they_are_set() {
    let settings = [
        ("AUTH__SIMPLEJWT__HEADER_TYPES", "JWT, Bearer"),
        ("AUTH__SIMPLEJWT__LEEWAY", "60s"),
        ("AUTH__TOKENS__ACCESS_TTL", "1s"),
        ("AUTH__TOKENS__REFRESH_IDLE_TTL", "1s"),
    ];
    let moved = Moved::new(Database::Sqlite, &settings).await;
    let url = moved.system.auth_url("/api/token/");
    let answer =
        moved.system.http.post(url).json(&json!({"username": "x", "password": "y"})).send().await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "JWT realm=\"api\"");
    let (_, pair) = moved.post("/api/token/", json!({"username": "md5-6", "password": PASSWORD})).await;
    let over =
        |token: &Value| unverified_claims(token.as_str().unwrap())["exp"].as_u64().unwrap() < unix_now();
    eventually("both say that they have expired", || async {
        (over(&pair["access"]) && over(&pair["refresh"])).then_some(())
    })
    .await;
    assert_eq!(moved.post(VERIFY, json!({"token": pair["access"]})).await.0, 200);
    assert_eq!(moved.post(VERIFY, json!({"token": pair["refresh"]})).await.0, 200);
    assert_eq!(moved.refresh(&pair["refresh"]).await.0, 200);
}

#[test]
fn settings_are_converted_and_what_has_no_counterpart_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let env = system_tests::system::auth_env(Database::Sqlite, folder.path(), &[]);
    let given = json!({
        "ACCESS_TOKEN_LIFETIME": "0:10:00", "REFRESH_TOKEN_LIFETIME": "timedelta(days=1)", "SIGNING_KEY": SECRET,
        "ROTATE_REFRESH_TOKENS": true, "TOKEN_OBTAIN_SERIALIZER": "my.Serializer",
    });
    let output =
        run("auth-service", &["import", "django-settings", "-"], folder.path(), &env, &given.to_string());
    assert_eq!(output.status.code(), Some(1), "one entry is code");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        !text.contains(SECRET)
            && text.contains("TOKEN_OBTAIN_SERIALIZER")
            && text.contains("REFRESH_TOKEN_LIFETIME")
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("REFRESH_TOKEN_LIFETIME"));
    // What it prints is a settings file.
    let file = super::settings_file(folder.path(), &text);
    fs::create_dir(folder.path().join("data")).unwrap();
    key_file(&folder.path().join("data"), SECRET);
    let mut env = env;
    env.insert("AUTH__SIMPLEJWT__LEGACY_UNTIL".to_owned(), "2099-01-01T00:00:00Z".to_owned());
    let read = run("auth-service", &["--config", &file, "audience", "create", "x"], folder.path(), &env, "");
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(read.status.success() && !said.contains("unknown setting"), "{said}");

    let output =
        run("auth-service", &["import", "django-settings", "-"], folder.path(), &env, "SIMPLE_JWT = {}");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("manage.py shell"));
}
