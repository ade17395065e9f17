//! Settings that are wrong end the start with one line that says what and where.

use std::fs;

use system_tests::drill::figure;
use system_tests::processes::{Env, Service, run};
use system_tests::system::auth_env;
use system_tests::{Database, System};

#[tokio::test]
async fn f28_a_wrong_setting_is_refused_with_its_key_and_leaves_nothing_behind() {
    let table = [
        ("AUTH__TOKENS__ACCESS_TTL", "5", "tokens.access_ttl"),
        ("AUTH__TOKENS__ACCESS_TTL", "25h", "tokens.access_ttl"),
        ("AUTH__TOKENS__ACCESS_TTL", "0s", "tokens.access_ttl"),
        ("AUTH__TOKENS__REFRESH_GRACE", "2m", "tokens.refresh_grace"),
        ("AUTH__TOKENS__REFRESH_IDLE_TTL", "31d", "tokens.refresh_idle_ttl"),
        ("AUTH__HTTP__BIND", "localhost", "http.bind"),
        ("AUTH__GRPC__BIND", "127.0.0.1:99999", "grpc.bind"),
        ("AUTH__KEYS__ALGORITHM", "HS256", "keys.algorithm"),
        ("AUTH__KEYS__PUBLISH_LEAD", "40d", "keys.publish_lead"),
        ("AUTH__ISSUER", "https://auth.test/", "issuer"),
        ("AUTH__ISSUER", "auth.test", "issuer"),
        ("AUTH__DATABASE__POOL_SIZE", "many", "database.pool_size"),
        ("AUTH__DATABASE__POOL_SIZE", "0", "database.pool_size"),
        ("AUTH__DATABASE__URL", "mysql://localhost/signet", "database.url"),
        ("AUTH__DATABASE__URL", "postgress://localhost/signet", "database.url"),
        ("AUTH__DATABASE__URL", "signet.db", "database.url"),
        ("AUTH__DATABASE__URL", "host=localhost dbname=signet", "database.url"),
        ("AUTH__DATABASE__URL", "sqlite://nowhere/signet.db", "nowhere"),
        ("AUTH__DATABASE__URL", "postgres://app:hunter2@127.0.0.1:1/signet", "127.0.0.1:1/signet"),
        ("AUTH__DATABASE__URL", "postgres://app:hunter2@@127.0.0.1/signet", "database.url"),
        ("AUTH__DATABASE__URL", "postgres://app:hunter2%zz@127.0.0.1/signet", "database.url"),
        ("AUTH__DATABASE__URL", "postgres://app:hunter2/x@127.0.0.1/signet", "database.url"),
        ("AUTH__DATABASE__URL", "postgres://app:hunter2 x@127.0.0.1/signet", "database.url"),
        ("AUTH__DATABASE__URL_FILE", "no-such-file", "no-such-file"),
        ("AUTH__SIMPLEJWT__SCOPE", "a  b", "simplejwt.scope"),
        ("AUTH__LOG__FORMAT", "xml", "log.format"),
        ("AUTH__LOG__LEVEL", "chatty", "log.level"),
        ("AUTH__LOG__LEVEL", "info,module=loud", "log.level"),
        ("AUTH__PASSWORDS__THREADS", "-1", "passwords.threads"),
        ("AUTH__LIMITS__PAIR", "-1", "limits.pair"),
        ("AUTH__TRUSTED_PROXIES", "10.0.0.0/33", "trusted_proxies"),
        ("AUTH__SWEEP__INTERVAL", "0s", "sweep.interval"),
        ("AUTH__METRICS__BIND", "9464", "metrics.bind"),
        ("AUTH__TRACES__ENDPOINT", "collector:4317", "traces.endpoint"),
        ("AUTH__TRACES__RATIO", "1.5", "traces.ratio"),
        ("AUTH__DRAIN_DELAY", "2m", "drain_delay"),
    ];
    figure(format!(
        "{} wrong values: each refused in one line that names it, nothing left behind",
        table.len()
    ));
    for (key, value, named) in table {
        let folder = tempfile::tempdir().unwrap();
        let env = auth_env(Database::Sqlite, folder.path(), &[(key, value)]);
        let refused = run("auth-service", &[], folder.path(), &env, "");
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{key}={value}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{key}={value}: one line: {stderr}");
        assert!(stderr.contains(named), "{key}={value}: names it: {stderr}");
        assert!(!stderr.contains("hunter2"), "no password: {stderr}");
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "{key}={value} left {left:?}");
    }
}

#[tokio::test]
async fn f28_a_file_is_read_the_environment_wins_and_unknown_keys_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signet.toml");
    let misspelled =
        "issuer = \"https://file.test\"\nisuer = \"x\"\n[tokens]\naccess_ttl = \"7m\"\nacces_ttl = \"1m\"\n";
    fs::write(&file, misspelled).unwrap();
    let mut env = auth_env(Database::Sqlite, folder.path(), &[("AUTH__TOKENS__REFRESH_GRAC", "1s")]);
    let config = ["--config", file.to_str().unwrap()];
    for command in [&[][..], &["key", "list"]] {
        let refused = run("auth-service", &[&config, command].concat(), folder.path(), &env, "");
        let stderr = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        for (unknown, nearest) in [
            ("isuer", "issuer"),
            ("tokens.acces_ttl", "tokens.access_ttl"),
            ("tokens.refresh_grac", "tokens.refresh_grace"),
        ] {
            let message = format!("unknown setting {unknown:?}, did you mean {nearest:?}?");
            assert!(stderr.contains(&message), "{message}: {stderr}");
        }
    }
    assert!(!folder.path().join("signet.db").exists(), "nothing was created");
    env.remove("AUTH__TOKENS__REFRESH_GRAC");
    env.remove("AUTH__ISSUER");
    fs::write(&file, "issuer = \"https://file.test\"\n").unwrap();
    let from_file = Service::start_with("auth-service", &config, folder.path(), &env).await;
    assert!(from_file.log().contains("https://file.test"));
    drop(from_file);
    env.insert("AUTH__ISSUER".to_owned(), "https://environment.test".to_owned());
    let service = Service::start_with("auth-service", &config, folder.path(), &env).await;
    assert!(service.log().contains("https://environment.test"));

    let mut env_of_resource = env.clone();
    env_of_resource.insert("RESOURCE__AUTHORITY__URI".to_owned(), "http://127.0.0.1:1".to_owned());
    let refused = run("resource-service", &[], folder.path(), &env_of_resource, "");
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(stderr.contains("did you mean \"authority.url\"?"), "{stderr}");

    fs::write(&file, "[tokens]\naccess_ttl = \"soon\"\n").unwrap();
    let refused = run("auth-service", &["--config", file.to_str().unwrap()], folder.path(), &env, "");
    let stderr = String::from_utf8(refused.stderr).unwrap();
    assert!(
        stderr.contains("tokens.access_ttl") && stderr.contains("signet.toml"),
        "key and source: {stderr}"
    );
    let absent = run("auth-service", &["--config", "absent.toml"], folder.path(), &env, "");
    assert!(String::from_utf8(absent.stderr).unwrap().contains("absent.toml"));
    figure("unknown keys: refused in one line with the nearest known key of each");
}

#[tokio::test]
async fn f15_a_master_key_that_is_wrong_or_lost_ends_the_start() {
    use std::os::unix::fs::PermissionsExt;
    let system = System::start(Database::Sqlite).await;
    let file = system.folder.path().join("master.key");
    let key = fs::read_to_string(&file).unwrap();
    let refusal = || {
        let refused = run("auth-service", &["key", "list"], system.folder.path(), &system.auth_env, "");
        assert_eq!(refused.status.code(), Some(1));
        String::from_utf8(refused.stderr).unwrap()
    };
    for made in ["signet.db", "master.key"] {
        let mode = fs::metadata(system.folder.path().join(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{made} is nobody else's to read");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal().contains("chmod 600"));
    fs::remove_file(&file).unwrap();
    assert!(refusal().contains("restore it"));
    assert!(!file.exists(), "a lost key is never replaced");
    fs::write(&file, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refusal().contains("is this the master key that it was made with?"));
    fs::write(&file, &key[..20]).unwrap();
    assert!(refusal().contains("32 bytes"));
    fs::write(&file, key).unwrap();
    let _ = system.cli(&["key", "list"]);
    figure("mode 0644, missing, another one, cut short: refused in one line, never replaced");
}

#[tokio::test]
async fn commands_say_what_is_wrong_by_their_exit_codes() {
    let system = System::start(Database::Sqlite).await;
    let code = |arguments: &[&str]| {
        run("auth-service", arguments, system.folder.path(), &system.auth_env, "short\n").status.code()
    };
    assert_eq!(code(&["user", "create", "alice"]), Some(3), "the name is taken");
    assert_eq!(code(&["user", "create", "bob", "--password-stdin"]), Some(2), "the password is too short");
    assert_eq!(code(&["user", "disable", "nobody"]), Some(3));
    assert_eq!(code(&["user", "passwd", "nobody"]), Some(3));
    assert_eq!(code(&["client", "create", "gateway"]), Some(3));
    assert_eq!(code(&["client", "create", "a b"]), Some(2));
    assert_eq!(code(&["client", "create", "x", "--audience", "unregistered"]), Some(3));
    assert_eq!(code(&["client", "create", "x", "--grant", "implicit"]), Some(2));
    assert_eq!(code(&["client", "disable", "nobody"]), Some(3));
    assert_eq!(code(&["client", "secret", "nobody"]), Some(3));
    assert_eq!(code(&["key", "rotate", "--algorithm", "HS256"]), Some(2));
    assert_eq!(code(&["audience", "create", "notes"]), Some(3));
    assert_eq!(code(&["user", "create", ""]), Some(2));
    assert_eq!(code(&["audience", "create", "api://a#b"]), Some(2));
    assert_eq!(code(&["no-such-command"]), Some(2), "wrong usage");
    assert_eq!(code(&["client", "list"]), Some(0));
    let mut env = system.auth_env.clone();
    env.insert("AUTH__HTTP__BIND".to_owned(), system.auth.http.to_string());
    let health = run("auth-service", &["healthcheck"], system.folder.path(), &env, "");
    assert_eq!(health.status.code(), Some(0));
    env.insert("AUTH__HTTP__BIND".to_owned(), "127.0.0.1:1".to_owned());
    let health = run("auth-service", &["healthcheck"], system.folder.path(), &env, "");
    assert_eq!(health.status.code(), Some(1));
}

#[test]
fn effective_settings_are_printed_with_their_sources_and_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("signet.toml");
    fs::write(
        &file,
        "issuer = \"https://auth.test\"\n[tokens]\naccess_ttl = \"7m\"\n[claims]\ndept = \"department\"\n",
    )
    .unwrap();
    let url = "postgres://signet:sw0rdfish@db.test/signet?password=sw0rdfish";
    let env = Env::from([
        ("AUTH__DATABASE__URL".to_owned(), url.to_owned()),
        ("AUTH__TOKENS__REFRESH_GRACE".to_owned(), "11s".to_owned()),
    ]);
    let file = file.to_str().unwrap();
    let config = |arguments: &[&str]| {
        let arguments = [&["--config", file, "config"], arguments].concat();
        let output = run("auth-service", &arguments, folder.path(), &env, "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let printed: Vec<serde_json::Value> = serde_json::from_str(&config(&["print", "--json"])).unwrap();
    let of = |key: &str| {
        let found = printed.iter().find(|setting| setting["key"] == key).expect(key);
        (found["value"].as_str().unwrap().to_owned(), found["source"].as_str().unwrap().to_owned())
    };
    for (key, value) in [("issuer", "https://auth.test"), ("tokens.access_ttl", "7m")] {
        let (found, source) = of(key);
        assert!(found == value && source.ends_with("signet.toml"), "{key}: {found} from {source}");
    }
    assert_eq!(of("tokens.refresh_grace"), ("11s".to_owned(), "the environment".to_owned()));
    assert_eq!(of("tokens.refresh_idle_ttl").1, "default");
    assert_eq!(of("claims.dept").0, "department");
    assert_eq!(of("database.url").0, "postgres://***@db.test/signet?***");
    let text = config(&["print"]);
    assert!(text.starts_with("SETTING") && !text.contains("sw0rdfish"), "{text}");
    assert!(config(&["check"]).starts_with("5 given"), "{}", config(&["check"]));
    assert!(fs::read_dir(folder.path()).unwrap().count() == 1, "nothing else was created");
    let misspelled = Env::from([("AUTH__TOKENS__ACCES_TTL".to_owned(), "7m".to_owned())]);
    let output = run("auth-service", &["config", "check"], folder.path(), &misspelled, "");
    let cause = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && cause.contains("tokens.access_ttl"), "{cause}");
}

#[test]
fn completions_and_manual_pages_are_generated_from_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    let generated = |arguments: &[&str]| {
        let output = run("auth-service", arguments, folder.path(), &Env::new(), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "zsh", "fish"] {
        assert!(generated(&["completions", shell]).contains("remove-second-factor"), "{shell}");
    }
    let written: serde_json::Value = serde_json::from_str(&generated(&["man", "pages", "--json"])).unwrap();
    let pages: Vec<&str> =
        written["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap()).collect();
    for page in ["auth-service.1", "auth-service-user-create.1", "auth-service-audit-list.1"] {
        assert!(pages.contains(&page), "{page}: {pages:?}");
    }
    for page in pages {
        let text = fs::read_to_string(folder.path().join("pages").join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
}
