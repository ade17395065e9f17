use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use uuid::Uuid;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    /// The URL of a fresh, empty database: a file in `folder`, or a database of the cluster that
    /// `scripts/with-postgres` started.
    ///
    /// # Panics
    /// Without that cluster.
    #[must_use]
    pub fn fresh(self, folder: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}/signet.db", folder.display()),
            Self::Postgres => {
                let name = format!("test_{}", Uuid::new_v4().simple());
                admin(&format!("CREATE DATABASE {name}"));
                let cluster = cluster_url();
                let (server, _) = cluster.rsplit_once('/').expect("the cluster's URL names a database");
                format!("{server}/{name}")
            }
        }
    }
}

/// The URL of the cluster's own database.
///
/// # Panics
/// Without a cluster; the message says how to get one.
#[must_use]
pub fn cluster_url() -> String {
    setting("SIGNET_TEST_POSTGRES_URL").expect(
        "no PostgreSQL for the tests: run `scripts/test`, or `scripts/with-postgres cargo nextest run`",
    )
}

/// Runs a statement as the cluster's superuser.
///
/// # Panics
/// When it fails.
pub fn admin(statement: &str) {
    // First of all, as the authority does it, or the end of a test process could crash in OpenSSL's own.
    openssl_sys::init();
    let mut connection =
        PgConnection::establish(&cluster_url()).expect("the test cluster accepts connections");
    connection.batch_execute(statement).expect("the statement holds");
}

/// Opens a SQLite file that a running service may be writing to: waits for its lock as a service would.
///
/// # Panics
/// When it does not open.
#[must_use]
pub fn open_sqlite(path: &str) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(path).expect("the file opens");
    connection.batch_execute("PRAGMA busy_timeout = 5000").expect("a pragma");
    connection
}

/// Runs a statement on the database of a URL, of whichever kind.
///
/// # Errors
/// What the database says.
///
/// # Panics
/// Without a connection.
pub fn execute(url: &str, statement: &str) -> Result<(), String> {
    openssl_sys::init();
    let outcome = match url.strip_prefix("sqlite://") {
        Some(path) => open_sqlite(path).batch_execute(statement),
        None => {
            PgConnection::establish(url).expect("the server accepts connections").batch_execute(statement)
        }
    };
    outcome.map_err(|error| error.to_string())
}

/// A session as it stands in the database.
#[derive(Debug, QueryableByName)]
pub struct StoredSession {
    #[diesel(sql_type = Text)]
    pub id: String,
    #[diesel(sql_type = BigInt)]
    pub generation: i64,
    #[diesel(sql_type = Bool)]
    pub ended: bool,
}

/// All sessions of the database of a URL, of whichever kind.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn sessions(url: &str) -> Vec<StoredSession> {
    openssl_sys::init();
    let query = sql_query("SELECT id, generation, ended_at IS NOT NULL AS ended FROM sessions");
    let rows = match url.strip_prefix("sqlite://") {
        Some(path) => query.load(&mut open_sqlite(path)),
        None => query.load(&mut PgConnection::establish(url).expect("the server accepts connections")),
    };
    rows.expect("sessions can be read")
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = BigInt)]
    rows: i64,
}

/// How many rows a table of the database of a URL has.
///
/// # Panics
/// When they cannot be counted.
#[must_use]
pub fn count(url: &str, table: &str) -> usize {
    openssl_sys::init();
    let query = sql_query(format!("SELECT count(*) AS rows FROM {table}"));
    let counted: Counted = match url.strip_prefix("sqlite://") {
        Some(path) => query.get_result(&mut open_sqlite(path)),
        None => query.get_result(&mut PgConnection::establish(url).expect("the server accepts connections")),
    }
    .expect("rows can be counted");
    usize::try_from(counted.rows).expect("no less than none")
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

/// What SQLite's own check finds in a file: `ok`.
///
/// # Panics
/// When it cannot be opened.
#[must_use]
pub fn integrity(file: &Path) -> String {
    let mut connection = open_sqlite(file.to_str().expect("a path in UTF-8"));
    let found: Vec<Found> =
        sql_query("PRAGMA integrity_check").load(&mut connection).expect("the check runs");
    found.into_iter().map(|line| line.integrity_check).collect::<Vec<_>>().join("; ")
}

/// The database's name in a PostgreSQL URL.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn name_of(url: &str) -> &str {
    url.rsplit('/').next().expect("the URL names a database")
}

/// What `scripts/with-postgres` tells the tests.
#[expect(clippy::disallowed_methods, reason = "a script talks to tests by the environment")]
#[must_use]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
