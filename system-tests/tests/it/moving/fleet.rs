//! Twenty projects as twenty teams have them: every kind of user model, way of handing over and version of Django that
//! wrote the hashes. Every user can log in after the move, or is named with the reason and what to do.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use system_tests::database::{execute, integrity};
use system_tests::processes::Service;
use system_tests::system::{PASSWORD, auth_env};
use system_tests::{Database, eventually};
use tempfile::TempDir;

use super::import::import_with;
use super::{Project, settings_file};

/// A user model, and what its team writes into Signet's settings.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    /// `models.py`; none for Django's own user model.
    models: &'static str,
    /// `AUTH_USER_MODEL`.
    user_model: &'static str,
    /// The model that rows are created of.
    created_as: &'static str,
    /// The field of the name.
    username: &'static str,
    /// The field that locks a user out, with the value that does.
    locked: Option<(&'static str, &'static str)>,
    settings: &'static str,
    database: Engine,
}

#[derive(Clone, Copy, PartialEq)]
enum Engine {
    Sqlite,
    Postgres,
    MariaDb,
}

const PLAIN: Kind = Kind {
    name: "Django's own",
    models: "",
    user_model: "auth.User",
    created_as: "auth.User",
    username: "username",
    locked: Some(("is_active", "false")),
    settings: "",
    database: Engine::Sqlite,
};

const OWN: Kind = Kind {
    user_model: "people.Person",
    created_as: "people.Person",
    settings: "[django]\nuser_model = \"people.Person\"\n",
    ..PLAIN
};

const KINDS: [Kind; 9] = [
    PLAIN,
    Kind {
        name: "a UUID for a key",
        models: "import uuid\nfrom django.contrib.auth.models import AbstractUser\nfrom django.db import models\n\
                 class Person(AbstractUser):\n    id = models.UUIDField(primary_key=True, default=uuid.uuid4)\n",
        ..OWN
    },
    Kind {
        name: "e-mail addresses for names",
        models: "from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager\n\
                 from django.contrib.auth.models import PermissionsMixin\nfrom django.db import models\n\
                 class Person(AbstractBaseUser, PermissionsMixin):\n    \
                 address = models.EmailField(unique=True)\n    is_active = models.BooleanField(default=True)\n    \
                 USERNAME_FIELD = 'address'\n    objects = BaseUserManager()\n",
        username: "address",
        settings: "[django]\nuser_model = \"people.Person\"\nusername = \"address\"\nemail = \"address\"\n\
                   [simplejwt]\nusername_field = \"address\"\n",
        ..OWN
    },
    Kind {
        name: "no is_active",
        models: "from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager\n\
                 from django.db import models\nclass Person(AbstractBaseUser):\n    \
                 username = models.CharField(max_length=150, unique=True)\n    \
                 USERNAME_FIELD = 'username'\n    objects = BaseUserManager()\n",
        locked: None,
        settings: "[django]\nuser_model = \"people.Person\"\nactive = \"always\"\n",
        ..OWN
    },
    Kind {
        name: "an inverted flag",
        models: "from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager\n\
                 from django.db import models\nclass Person(AbstractBaseUser):\n    \
                 username = models.CharField(max_length=150, unique=True)\n    \
                 is_blocked = models.BooleanField(default=False)\n    \
                 USERNAME_FIELD = 'username'\n    objects = BaseUserManager()\n",
        locked: Some(("is_blocked", "true")),
        settings: "[django]\nuser_model = \"people.Person\"\nactive = \"!is_blocked\"\n",
        ..OWN
    },
    Kind {
        name: "a time for a flag",
        models: "from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager\n\
                 from django.db import models\nclass Person(AbstractBaseUser):\n    \
                 username = models.CharField(max_length=150, unique=True)\n    \
                 deactivated_at = models.DateTimeField(null=True)\n    \
                 USERNAME_FIELD = 'username'\n    objects = BaseUserManager()\n",
        locked: Some(("deactivated_at", "\"2024-02-29T12:00:00Z\"")),
        settings: "[django]\nuser_model = \"people.Person\"\nactive = \"!deactivated_at\"\n",
        ..OWN
    },
    Kind {
        name: "two tables",
        models: "from django.contrib.auth.models import User\nfrom django.db import models\n\
                 class Customer(User):\n    company = models.CharField(max_length=50, default='Acme')\n",
        created_as: "people.Customer",
        ..PLAIN
    },
    Kind {
        name: "a schema",
        models: "from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager\n\
                 from django.db import models\nclass Person(AbstractBaseUser):\n    \
                 username = models.CharField(max_length=150, unique=True)\n    \
                 is_active = models.BooleanField(default=True)\n    USERNAME_FIELD = 'username'\n    \
                 objects = BaseUserManager()\n    class Meta:\n        db_table = '\"shop\".\"person\"'\n",
        settings: "[django]\nuser_model = \"people.Person\"\nuser_table = '\"shop\".\"person\"'\n",
        database: Engine::Postgres,
        ..OWN
    },
    Kind { name: "MariaDB", database: Engine::MariaDb, ..PLAIN },
];

/// How the team hands over.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Dump(&'static [&'static str], &'static str),
    Database,
}

const DUMP: Way = Way::Dump(&[], "dump.json");
const NATURAL_FOREIGN: Way = Way::Dump(&["--natural-foreign"], "dump.json");
/// Leaves the primary keys out: what tokens would name users by is lost.
const NATURAL: Way = Way::Dump(&["--natural-foreign", "--natural-primary"], "dump.json");
const GZIP: Way = Way::Dump(&[], "dump.json.gz");
const LINES: Way = Way::Dump(&["--format", "jsonl"], "dump.jsonl");

/// The hashes that a project holds that began with this version: its default and what it offered beside it.
const VERSIONS: [(&str, &[(&str, u32)]); 6] = [
    ("1.11", &[("pbkdf2_sha256", 36_000), ("argon2i", 2), ("sha1", 0), ("unsalted_md5", 0), ("crypt", 0)]),
    ("2.2", &[("pbkdf2_sha256", 150_000), ("argon2i", 2), ("bcrypt_sha256", 5), ("unsalted_sha1", 0)]),
    ("3.2", &[("pbkdf2_sha256", 260_000), ("argon2id", 2), ("pbkdf2_sha1", 26_000), ("bcrypt", 5)]),
    ("4.2", &[("pbkdf2_sha256", 600_000), ("scrypt", 1 << 14), ("md5", 0)]),
    ("5.0", &[("pbkdf2_sha256", 720_000), ("scrypt", 1 << 14), ("argon2id", 2)]),
    ("5.2", &[("pbkdf2_sha256", 1_000_000), ("scrypt", 1 << 14), ("bcrypt_sha256", 5)]),
];

/// Which of each a project has: every kind, way and version more than once, and no two projects alike.
const PROJECTS: [(usize, Way, usize); 20] = [
    (0, DUMP, 0),
    (0, NATURAL_FOREIGN, 3),
    (0, NATURAL, 5),
    (0, Way::Database, 1),
    (1, DUMP, 4),
    (1, GZIP, 0),
    (1, Way::Database, 5),
    (2, LINES, 2),
    (2, Way::Database, 0),
    (2, NATURAL, 3),
    (3, DUMP, 1),
    (3, GZIP, 5),
    (4, LINES, 3),
    (4, Way::Database, 2),
    (5, DUMP, 2),
    (5, Way::Database, 4),
    (6, NATURAL_FOREIGN, 1),
    (7, Way::Database, 3),
    (8, DUMP, 0),
    (8, LINES, 4),
];

/// One row of the project's table of users.
struct User {
    name: String,
    scheme: &'static str,
    fields: Value,
    cost: u32,
    locked: bool,
}

impl User {
    /// Whether the user could log in there, too.
    fn has_password(&self) -> bool {
        !self.locked && self.scheme != "unusable"
    }
}

fn users(kind: &Kind, hashes: &'static [(&'static str, u32)]) -> Vec<User> {
    let user = |scheme: &'static str, cost: u32, locked: bool| {
        let name = format!("{}{scheme}", if locked { "locked-" } else { "" });
        let name = if kind.username == "address" { format!("{name}@example.org") } else { name };
        let mut fields = json!({kind.username: name});
        if let (Some((field, value)), true) = (kind.locked, locked) {
            fields[field] = serde_json::from_str(value).unwrap();
        }
        User { name, scheme, fields, cost, locked }
    };
    let mut all: Vec<User> = hashes.iter().map(|(scheme, cost)| user(scheme, *cost, false)).collect();
    all.push(user("unusable", 0, false));
    if kind.locked.is_some() {
        all.push(user("md5", 0, true));
    }
    all
}

#[tokio::test]
async fn users_of_twenty_projects_log_in_or_are_named_with_what_to_do() {
    let mariadb = MariaDb::start().await;
    let mut logins = 0;
    for (number, (kind, way, version)) in PROJECTS.iter().enumerate() {
        let (kind, (version, hashes)) = (&KINDS[*kind], VERSIONS[*version]);
        let what = format!("project {number}: {}, {way:?}, Django {version}", kind.name);
        let users = users(kind, hashes);
        let project = project(kind, &mariadb, number);
        let rows: Vec<Value> = users
            .iter()
            .map(|user| json!({"fields": user.fields, "hash": [user.scheme, user.cost]}))
            .collect();
        fs::write(project.path("users.json"), Value::Array(rows).to_string()).unwrap();
        project.manage(&["create", project.path("users.json").to_str().unwrap()]);

        let folder = tempfile::tempdir().unwrap();
        let settings = settings_file(folder.path(), kind.settings);
        let source = handed_over(&project, *way);
        let env = auth_env(Database::Sqlite, folder.path(), &[]);
        let mut arguments: Vec<&str> = source.iter().map(String::as_str).collect();
        arguments.extend(["--config", &settings]);
        let (report, _) = import_with(folder.path(), &env, &arguments);
        let named = report["problems"].to_string();
        if *way == NATURAL {
            assert_eq!(report["new"], 0, "{what}: {report}");
            assert!(named.contains("--natural-primary"), "{what}: the option is named: {named}");
            continue;
        }
        assert_eq!(report["new"], users.len(), "{what}: {report}");
        let service =
            Service::start_with("auth-service", &["--config", &settings], folder.path(), &env).await;
        let http = reqwest::Client::new();
        for user in &users {
            let form = [(kind.username, user.name.as_str()), ("password", PASSWORD)];
            let url = format!("http://{}/api/token/", service.http);
            let status = http.post(url).form(&form).send().await.unwrap().status();
            let known = user.scheme != "crypt";
            let expected = if user.has_password() && known { 200 } else { 401 };
            assert_eq!(status, expected, "{what}: {}: {named}", user.name);
            let is_named = named.contains(&format!("{:?}", user.name));
            assert_eq!(is_named, !known, "{what}: {} is named, or logs in: {named}", user.name);
            logins += u32::from(status == 200);
        }
        if users.iter().any(|user| user.scheme == "crypt") {
            assert!(named.contains("user passwd"), "{what}: the remedy is named: {named}");
        }
        let file = env["AUTH__DATABASE__URL"].strip_prefix("sqlite://").unwrap();
        assert_eq!(integrity(Path::new(file)), "ok", "{what}");
    }
    assert!(logins >= 50, "{logins} logins");
}

fn project(kind: &Kind, mariadb: &MariaDb, number: usize) -> Project {
    let database = match kind.database {
        Engine::Postgres => Database::Postgres,
        Engine::Sqlite | Engine::MariaDb => Database::Sqlite,
    };
    let mut config = json!({"user_model": kind.user_model, "model": kind.created_as, "odd": false});
    if !kind.models.is_empty() {
        config["models"] = json!(kind.models);
    }
    if kind.database == Engine::MariaDb {
        // Where times have no zone, as with MySQL's of old.
        config["use_tz"] = json!(false);
        config["database"] = mariadb.database(&format!("shop{number}"));
    }
    let project = Project::new(database, &config);
    if kind.database == Engine::Postgres {
        execute(&project.url, "CREATE SCHEMA shop").unwrap();
    }
    project
}

/// What the import is given.
fn handed_over(project: &Project, way: Way) -> Vec<String> {
    match way {
        Way::Database => {
            vec!["--database-url-file".to_owned(), project.url_file().display().to_string()]
        }
        Way::Dump(options, name) => {
            let to = project.path(name).display().to_string();
            let mut all = vec!["dumpdata", "--output", &to];
            all.extend(options);
            project.manage(&all);
            vec![to]
        }
    }
}

/// A MariaDB of this test, on a socket in a folder of its own.
struct MariaDb {
    server: Child,
    folder: TempDir,
}

impl MariaDb {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let absent = "no MariaDB: run `apt-get install mariadb-server`";
        let user = format!("--user={}", if rustix::process::getuid().is_root() { "root" } else { "mysql" });
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", &user])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .expect(absent);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let server = Command::new("mariadbd")
            .args(["--no-defaults", "--skip-networking", &user])
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", Self::socket(folder.path())))
            .arg(format!("--pid-file={}", folder.path().join("pid").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn()
            .expect(absent);
        let started = Self { server, folder };
        eventually("MariaDB answers", || async { started.says("SELECT 1").then_some(()) }).await;
        started
    }

    fn socket(folder: &Path) -> String {
        folder.join("socket").display().to_string()
    }

    fn says(&self, statement: &str) -> bool {
        let socket = format!("--socket={}", Self::socket(self.folder.path()));
        let client = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", &socket, "--execute", statement])
            .output();
        client.expect("no client: run `apt-get install mariadb-client`").status.success()
    }

    /// A database of its own, as Django's settings name it.
    fn database(&self, name: &str) -> Value {
        assert!(self.says(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")));
        json!({
            "ENGINE": "django.db.backends.mysql",
            "NAME": name,
            "USER": "root",
            "OPTIONS": {"unix_socket": Self::socket(self.folder.path())},
        })
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
