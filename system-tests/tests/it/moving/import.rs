//! `auth-service import django`: from a dump and from the database, once and again, whole and broken.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use system_tests::database::execute;
use system_tests::processes::{Env, run};
use system_tests::protocol::unverified_claims;
use system_tests::system::{PASSWORD, auth_env};
use system_tests::{Database, Protocol, System, on_both_databases};

use super::{Project, settings_file};

on_both_databases! {
    every_account_moves_in_from_a_dump_with_its_password_and_a_repeat_changes_nothing
    what_changed_there_changes_here_and_what_changed_here_stays
    accounts_move_in_from_djangos_own_database
    an_import_that_was_killed_is_repeated_and_nothing_is_there_by_halves
}

const FORMATS: [&str; 7] =
    ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt", "md5"];

/// Runs the command beside a running authority: its report, and whether all was taken over.
fn import(system: &System, arguments: &[&str]) -> (Value, bool) {
    import_with(system.folder.path(), &system.auth_env, arguments)
}

pub(super) fn import_with(folder: &Path, env: &Env, arguments: &[&str]) -> (Value, bool) {
    let all = [&["--json", "import", "django"], arguments].concat();
    let output = run("auth-service", &all, folder, env, "");
    let report = serde_json::from_slice(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    (report.unwrap_or_else(|error| panic!("{error}: {said}")), output.status.success())
}

fn counts(report: &Value) -> [u64; 4] {
    ["new", "changed", "unchanged", "left_out"].map(|name| report[name].as_u64().unwrap())
}

fn named(report: &Value) -> Vec<String> {
    let line = |problem: &Value| {
        let (name, what) = (problem["name"].as_str().unwrap(), problem["what"].as_str().unwrap());
        format!("{name}: {what}")
    };
    report["problems"].as_array().unwrap().iter().map(line).collect()
}

async fn every_account_moves_in_from_a_dump_with_its_password_and_a_repeat_changes_nothing(
    database: Database,
) {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "70"]);
    let dump = project.dump();
    let dump = dump.to_str().unwrap();
    let system = System::with(database, &[]).await;

    let (weighed, whole) = import(&system, &[dump, "--dry-run"]);
    assert!(whole && weighed["dry_run"] == true);
    assert!(Protocol::Http.obtain(&system, "md5-6", PASSWORD).await.is_err(), "nothing was written");

    let (report, whole) = import(&system, &[dump, "--strict"]);
    assert!(!whole, "one account could not be taken over, and the exit code says so where that is asked for");
    assert_eq!(report["accounts"], 75, "without the one that was skipped");
    assert_eq!(counts(&report), [75, 0, 0, 1]);
    assert_eq!(counts(&weighed), counts(&report), "the rehearsal told the same");
    assert_eq!(weighed["formats"], report["formats"]);
    assert_eq!(report["formats"]["pbkdf2_sha256"], 13, "ten, and three of the odd ones: one was skipped");
    assert_eq!(report["formats"]["unusable"], 2);
    assert_eq!((&report["disabled"], &report["reduced"]), (&json!(1), &json!(1)));
    assert_eq!(
        named(&report),
        [
            "alien: comes without its password: the hash is of no known format: set one with `auth-service user passwd`",
            "TWIN: the name, in this or another spelling, belongs to another account that was taken over",
        ]
    );

    for (number, format) in FORMATS.iter().enumerate() {
        let name = format!("{format}-{number}");
        assert!(Protocol::Http.obtain(&system, &name, "wrong").await.is_err(), "{name}");
        Protocol::Http
            .obtain(&system, &name, PASSWORD)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
        // The second time with the hash that the first one left.
        Protocol::Grpc
            .obtain(&system, &name, PASSWORD)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
    for (name, password) in [("nobody", PASSWORD), ("nobody", "!"), ("gone", PASSWORD), ("alien", PASSWORD)] {
        assert!(Protocol::Http.obtain(&system, name, password).await.is_err(), "{name}");
    }
    Protocol::Http.obtain(&system, "ｔｗｉｎ", PASSWORD).await.expect("in any spelling of the name");

    let (again, _) = import(&system, &[dump]);
    assert_eq!(counts(&again), [0, 0, 75, 1]);
    let upgraded = import(&system, &[dump, "--dry-run"]).0;
    assert_eq!(counts(&upgraded), [0, 0, 75, 1]);
    for name in ["bcrypt-4", "scrypt-5"] {
        Protocol::Http.obtain(&system, name, PASSWORD).await.expect("what was hashed anew stays");
    }
}

async fn what_changed_there_changes_here_and_what_changed_here_stays(database: Database) {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "14"]);
    let system = System::with(database, &[]).await;
    let settings = "[claims]\nis_staff = \"is_staff\"\ngroups = \"groups\"\npermissions = \"permissions\"\n\
                    [django.roles]\neditor = \"group:Editors\"\nmanager = \"permission:auth.add_group\"\n\
                    chief = \"is_superuser\"\n";
    let file = settings_file(system.folder.path(), settings);
    let dump = project.dump();
    let arguments = [dump.to_str().unwrap(), "--config", &file];
    assert_eq!(counts(&import(&system, &arguments).0), [19, 0, 0, 1]);

    let held = Protocol::Http.obtain(&system, "scrypt-5", PASSWORD).await.unwrap();
    let kept = Protocol::Http.obtain(&system, "md5-6", PASSWORD).await.unwrap();
    let here = ["user", "passwd", "bcrypt-4", "--password-stdin"];
    let _ = system_tests::system::cli(system.folder.path(), &system.auth_env, &here, "set at the new place");

    project.manage(&["password", "scrypt-5", "another one there"]);
    project.manage(&["change", "md5-6", r#"{"email": "new@example.org"}"#]);
    project.manage(&["change", "argon2-2", r#"{"is_active": false}"#]);
    project.manage(&["add_group", "bcrypt-4", "Editors"]);
    let dump = project.dump();
    let arguments = [dump.to_str().unwrap(), "--config", &file];
    assert_eq!(counts(&import(&system, &arguments).0), [0, 4, 15, 1]);

    assert!(Protocol::Http.obtain(&system, "scrypt-5", PASSWORD).await.is_err());
    Protocol::Http.obtain(&system, "scrypt-5", "another one there").await.expect("its new password");
    assert!(Protocol::Http.refresh(&system, &held.refresh).await.is_err(), "its sessions are over");
    Protocol::Http.refresh(&system, &kept.refresh).await.expect("another address ends nothing");
    assert!(Protocol::Http.obtain(&system, "argon2-2", PASSWORD).await.is_err());
    let pair = Protocol::Http.obtain(&system, "bcrypt-4", "set at the new place").await;
    let claims = unverified_claims(&pair.expect("a password that was set here stays").access);
    assert_eq!(claims["roles"], json!(["editor", "manager"]));
    let editor = Protocol::Http.obtain(&system, "editor", PASSWORD).await.unwrap();
    assert_eq!(unverified_claims(&editor.access)["roles"], json!(["chief", "editor", "manager"]));
}

async fn accounts_move_in_from_djangos_own_database(database: Database) {
    let project = Project::new(database, &json!({}));
    project.manage(&["seed", "35"]);
    let url_file = project.url_file();
    let system = System::with(database, &[]).await;
    let arguments = ["--database-url-file", url_file.to_str().unwrap()];
    let (report, _) = import(&system, &arguments);
    assert_eq!(counts(&report), [40, 0, 0, 1]);
    let (same, _) = import(&system, &[project.dump().to_str().unwrap()]);
    assert_eq!(counts(&same), [0, 0, 40, 1], "a dump says the same as the database, to the letter");
    let pair = Protocol::Http.obtain(&system, "pbkdf2_sha1-1", PASSWORD).await.unwrap();
    assert_eq!(unverified_claims(&pair.access)["user_id"], "2", "its primary key there");
    assert_ne!(unverified_claims(&pair.access)["sub"], "2");
}

async fn an_import_that_was_killed_is_repeated_and_nothing_is_there_by_halves(database: Database) {
    use std::os::unix::process::ExitStatusExt;
    const ACCOUNTS: usize = 6000;
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(database, folder.path(), &[]);
    let record = |number: usize| {
        let fields = json!({
            "username": format!("u{number}"), "password": "md5$salt$0cc175b9c0f1b6a831c399e269772661",
            "is_active": true, "email": format!("u{number}@example.org"),
        });
        json!({"model": "auth.user", "pk": number, "fields": fields})
    };
    let records: Vec<Value> = (1..=ACCOUNTS).map(record).collect();
    let dump = folder.path().join("dump.json");
    fs::write(&dump, Value::Array(records).to_string()).unwrap();
    let dump = dump.to_str().unwrap();
    let _ = import_with(folder.path(), &env, &[dump, "--dry-run"]);

    let url = env["AUTH__DATABASE__URL"].clone();
    let mut killed_at = Vec::new();
    for _ in 0..3 {
        let mut child = std::process::Command::new(system_tests::processes::binary("auth-service"))
            .args(["import", "django", dump])
            .current_dir(folder.path())
            .env_clear()
            .envs(&env)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // As soon as it has written more than was there.
        let before = accounts(&url);
        while accounts(&url) == before && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        if child.wait().unwrap().signal() == Some(9) {
            killed_at.push(accounts(&url));
        }
    }
    assert!(
        !killed_at.is_empty() && killed_at.iter().all(|rows| rows % 1000 == 0),
        "whole batches: {killed_at:?}"
    );
    let there = accounts(&url) as u64;
    let (report, whole) = import_with(folder.path(), &env, &[dump]);
    assert!(whole, "{report}");
    assert_eq!(counts(&report), [ACCOUNTS as u64 - there, 0, there, 0]);
    assert_eq!(accounts(&url), ACCOUNTS);
    let _ = system_tests::system::cli(folder.path(), &env, &["audit", "verify"], "");
}

/// How many there are, by the database itself.
fn accounts(url: &str) -> usize {
    system_tests::database::count(url, "users")
}

#[tokio::test]
async fn the_id_of_tokens_is_a_number_where_services_want_one_and_new_accounts_get_the_next() {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "7"]);
    let integer = [("AUTH__SIMPLEJWT__USER_ID", "integer")];
    let system = System::with(Database::Sqlite, &integer).await;
    let own = Protocol::Http.obtain(&system, system_tests::system::USER, PASSWORD).await.unwrap();
    let own = unverified_claims(&own.access)["user_id"].as_i64().unwrap();
    assert!(own > 1_000_000_000, "a sign-up there in the meantime does not get it: {own}");
    let (report, _) = import(&system, &[project.dump().to_str().unwrap()]);
    let pair = Protocol::Http.obtain(&system, "argon2-2", PASSWORD).await.unwrap();
    assert_eq!(unverified_claims(&pair.access)["user_id"], 3, "{report}");
    let made = ["user", "create", "newcomer", "--password-stdin"];
    let _ = system_tests::system::cli(system.folder.path(), &system.auth_env, &made, PASSWORD);
    let pair = Protocol::Http.obtain(&system, "newcomer", PASSWORD).await.unwrap();
    assert_eq!(unverified_claims(&pair.access)["user_id"], own + 1);
}

#[tokio::test]
async fn an_account_that_was_made_here_is_left_alone_unless_it_is_to_become_the_one_from_there() {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "7"]);
    let system = System::with(Database::Sqlite, &[]).await;
    let made = ["user", "create", "EDITOR", "--password-stdin"];
    let _ = system_tests::system::cli(system.folder.path(), &system.auth_env, &made, "made at this place");
    let dump = project.dump();
    let (report, _) = import(&system, &[dump.to_str().unwrap()]);
    assert_eq!(counts(&report), [11, 0, 0, 2]);
    let was_made_here = |line: &String| line.contains("an account of this name was made here");
    assert!(named(&report).iter().any(was_made_here), "{report}");
    let held = Protocol::Http.obtain(&system, "editor", "made at this place").await.unwrap();
    let (report, _) = import(&system, &[dump.to_str().unwrap(), "--adopt"]);
    assert_eq!(counts(&report), [0, 1, 11, 1]);
    assert!(Protocol::Http.obtain(&system, "editor", "made at this place").await.is_err());
    assert!(Protocol::Http.refresh(&system, &held.refresh).await.is_err());
    Protocol::Http.obtain(&system, "editor", PASSWORD).await.expect("it is the one from there");
}

#[tokio::test]
async fn a_user_model_of_its_own_moves_in_by_a_map_of_fields() {
    let project = Project::new(Database::Sqlite, &json!({"custom_user_model": true}));
    project.manage(&["seed", "14"]);
    let system = System::with(Database::Sqlite, &[]).await;
    let settings = "[django]\nuser_model = \"people.Person\"\nusername = \"address\"\nactive = \"enabled\"\n\
                    email = \"address\"\nattributes = \"tenant\"\n[django.roles]\nchief = \"chief\"\n\
                    [claims]\ntenant_id = \"tenant\"\n[simplejwt]\nusername_field = \"address\"\n";
    let file = settings_file(system.folder.path(), settings);
    let dump = project.path("people.json");
    project.manage(&["dumpdata", "people", "--output", dump.to_str().unwrap()]);
    let (report, whole) = import(&system, &[dump.to_str().unwrap(), "--config", &file]);
    assert!(whole, "{report}");
    assert_eq!(counts(&report), [14, 0, 0, 0]);
    let url_file = project.url_file();
    let (same, _) = import(&system, &["--database-url-file", url_file.to_str().unwrap(), "--config", &file]);
    assert_eq!(counts(&same), [0, 0, 14, 0], "{same}");

    let mut env = system.auth_env.clone();
    for name in ["AUTH__HTTP__BIND", "AUTH__GRPC__BIND", "AUTH__METRICS__BIND"] {
        env.insert(name.to_owned(), "127.0.0.1:0".to_owned());
    }
    let replica = system_tests::processes::Service::start_with(
        "auth-service",
        &["--config", &file],
        system.folder.path(),
        &env,
    )
    .await;
    let ask = async |name: &str| {
        let form = [(name, "SCRYPT-5@example.org"), ("password", PASSWORD)];
        let url = format!("http://{}/api/token/", replica.http);
        system.http.post(url).form(&form).send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(ask("username").await, json!({"address": ["This field is required."]}));
    let pair = ask("address").await;
    let claims = unverified_claims(pair["access"].as_str().unwrap());
    assert_eq!((&claims["tenant_id"], &claims["roles"]), (&json!(5), &json!([])));
    assert_eq!(claims["user_id"].as_str().unwrap().len(), 36, "the UUID that it had");
}

#[test]
fn what_is_broken_is_named_with_its_record_and_the_rest_moves_in() {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let record = |pk: u32, name: &str| json!({"model": "auth.user", "pk": pk, "fields": {"username": name, "password": "!", "is_active": true}});
    let [one, two, three] =
        [(1, "one"), (2, "two"), (3, "three")].map(|(pk, name)| record(pk, name).to_string());
    let dump = folder.path().join("dump.json");
    let import = |text: String| {
        fs::write(&dump, text).unwrap();
        let (report, whole) = import_with(folder.path(), &env, &[dump.to_str().unwrap()]);
        (counts(&report), whole, report["problems"].clone())
    };

    let (counted, whole, problems) =
        import(format!("[{one}, {{\"model\": \"auth.user\", \"pk\": 9, \"fields\": nonsense}}, {two}]"));
    assert_eq!((counted, whole), ([2, 0, 0, 1], false));
    assert_eq!(problems[0]["record"], 2, "{problems}");
    let (counted, _, problems) = import(format!("[{one}, {two}, {three}, {{\"model\": \"auth.us"));
    assert_eq!(counted, [1, 0, 2, 1], "the file was cut short: what is whole in it moves in");
    assert_eq!(
        problems[0]["what"],
        "the file ends in the middle of it; nothing behind its beginning was read"
    );
    let odd = [
        json!({"model": "auth.user", "pk": 4, "fields": {"password": "!"}}),
        json!({"model": "auth.user", "pk": 5, "fields": []}),
        json!({"model": "auth.user", "fields": {"username": "five"}}),
        json!({"pk": 6}),
        json!(7),
        record(8, "eight\u{0}"),
        record(3, "another name for three"),
        record(9, "TWO"),
    ];
    let (counted, _, problems) = import(Value::Array(odd.to_vec()).to_string());
    assert_eq!(counted, [0, 1, 0, 7], "{problems}");

    fs::write(&dump, "7").unwrap();
    let no_array = import_with(folder.path(), &env, &[dump.to_str().unwrap()]);
    assert!(no_array.0["problems"][0]["what"].as_str().unwrap().contains("dumpdata"));
    for arguments in [
        &["import", "django", "/nowhere.json"][..],
        &["import", "django", "/dev/stdin"],
        &["import", "django"],
    ] {
        let output = run("auth-service", arguments, folder.path(), &env, "[]");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

/// `dumpdata` with each of its options: a customer never gets the rights of a group that the dump cannot name.
#[test]
fn every_option_of_dumpdata_gives_each_user_exactly_their_own_groups_or_is_named() {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "7"]);
    for group in ["Customers", "Administrators"] {
        project.manage(&["add_new_group", "md5-6", group]);
    }
    project.manage(&["remove_group", "md5-6", "Administrators"]);
    let folder = tempfile::tempdir().unwrap();
    let settings = "[django.roles]\nadministrator = \"group:Administrators\"\ncustomer = \"group:Customers\"\n\
                    editor = \"group:Editors\"\n[django]\nuser_id = \"username\"\n";
    let file = settings_file(folder.path(), settings);
    let natural = ["--natural-primary", "--natural-foreign"];
    let options = [&[][..], &natural[1..], &natural[..1], &natural[..]];
    let formats = [("json", "dump.json"), ("json", "dump.json.gz"), ("jsonl", "dump.jsonl")];
    for (option, (format, name)) in
        options.iter().flat_map(|option| formats.iter().map(move |f| (*option, *f)))
    {
        let to = project.path(name);
        let all = ["dumpdata", "contenttypes", "auth", "--format", format, "--output", to.to_str().unwrap()];
        project.manage(&[&all, option].concat());
        let database = tempfile::tempdir().unwrap();
        let env = auth_env(Database::Sqlite, database.path(), &[]);
        let arguments = [to.to_str().unwrap(), "--config", &file];
        let (report, _) = import_with(database.path(), &env, &arguments);
        assert_eq!(report["new"], 12, "{option:?} {name}: {report}");
        let roles = roles(&env["AUTH__DATABASE__URL"]);
        // Keys of groups that have none cannot be resolved: nobody is given what only a guess would give.
        let lost = *option == natural[..1];
        let expected = |role: &str| if lost { String::new() } else { role.to_owned() };
        assert_eq!(roles["md5-6"], expected("customer"), "{option:?} {name}");
        assert_eq!(roles["editor"], expected("editor"), "{option:?} {name}");
        assert_eq!(roles["scrypt-5"], "", "{option:?} {name}");
        assert_eq!(named(&report).join("\n").contains("--natural-foreign"), lost, "{option:?}: {report}");
    }
}

/// Roles by username.
fn roles(url: &str) -> std::collections::HashMap<String, String> {
    use diesel::sql_types::Text;
    use diesel::{QueryableByName, RunQueryDsl, sql_query};
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        username: String,
        #[diesel(sql_type = Text)]
        roles: String,
    }
    let mut database = system_tests::database::open_sqlite(url.strip_prefix("sqlite://").unwrap());
    let rows: Vec<Row> = sql_query("SELECT username, roles FROM users").load(&mut database).unwrap();
    rows.into_iter().map(|row| (row.username, row.roles)).collect()
}

#[test]
fn a_dump_of_another_kind_is_refused_in_one_line_that_says_what_to_do() {
    let project = Project::new(Database::Sqlite, &json!({}));
    project.manage(&["seed", "7"]);
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let dump = fs::read_to_string(project.dump()).unwrap();
    let xml = project.manage(&["dumpdata", "auth", "--format", "xml"]);
    let utf_16: Vec<u8> =
        [0xFEFF_u16].into_iter().chain(dump.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let yaml = "- model: auth.user\n  pk: 1\n";
    let table: [(&[u8], &str); 4] = [
        (xml.as_bytes(), "--format json"),
        (&utf_16, "UTF-16"),
        (yaml.as_bytes(), "--format json"),
        (b"BZh91AY", "bzip2"),
    ];
    for (content, expected) in table {
        let file = folder.path().join("dump");
        fs::write(&file, content).unwrap();
        let output =
            run("auth-service", &["import", "django", file.to_str().unwrap()], folder.path(), &env, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{expected}: {said}");
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("auth-service:")).count(), 1, "{said}");
    }
}

#[test]
fn a_database_that_is_no_djangos_is_refused_in_one_line_and_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let env = auth_env(Database::Sqlite, folder.path(), &[]);
    let url = format!("sqlite://{}/other.db", folder.path().display());
    execute(&url, "CREATE TABLE something (id INTEGER PRIMARY KEY)").unwrap();
    let before = fs::read(folder.path().join("other.db")).unwrap();
    let url_file = folder.path().join("url");
    for (text, expected) in [
        (url.as_str(), "has no table \"auth_user\""),
        ("sqlite:///nowhere/django.db", "does not exist"),
        ("mysql://x", "url"),
    ] {
        fs::write(&url_file, text).unwrap();
        let arguments = ["import", "django", "--database-url-file", url_file.to_str().unwrap()];
        let output = run("auth-service", &arguments, folder.path(), &env, "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{text}: {said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("auth-service:")).count(), 1, "{said}");
        assert!(said.trim_end().lines().last().unwrap().starts_with("auth-service:"), "{said}");
    }
    assert_eq!(fs::read(folder.path().join("other.db")).unwrap(), before);
}
