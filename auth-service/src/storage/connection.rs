use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, MultiConnection};

use super::error::{StorageError, explained};
use super::url::DatabaseUrl;

/// Longest wait for SQLite's write lock, which another process may hold, of a command or a start: nobody waits
/// for an answer but a user.
pub(super) const SQLITE_PATIENCE: Duration = Duration::from_secs(10);

/// The same while requests are served: they get 503 within a second.
pub(super) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_millis(750);

/// How often a writer looks whether the lock is free.
const LOCK_PAUSE: Duration = Duration::from_micros(250);

const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// Longest wait for another process that opens, migrates or closes the file.
const SQLITE_OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// Longest time that PostgreSQL may take for one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest silence within a transaction, which is microseconds unless the process is paused or its host is gone. Then
/// the server ends the transaction, and with it the locks.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest time for a whole transaction, where the server can bound it.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait of one for a lock that another transaction holds. With the wait for a connection it is half a second.
const LOCK_TIMEOUT: Duration = Duration::from_millis(300);

/// One set of queries for both databases.
#[derive(MultiConnection)]
pub(super) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Migrate,
}

impl AnyConnection {
    /// Opens a connection by the URL's scheme. A SQLite file is made if it does not exist.
    pub(super) fn open(url: &DatabaseUrl, access: Access) -> Result<Self, StorageError> {
        let unavailable =
            |error: &dyn std::error::Error| StorageError::Unavailable(explained(&error.to_string()));
        match url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path, access).map(Self::Sqlite),
            DatabaseUrl::Postgres(url) => {
                // Before libpq does it: OpenSSL would else tear itself down at the process's end,
                // under the feet of a pool thread that is in a handshake, and crash the exit.
                openssl_sys::init();
                let url = with_bounds(url, access);
                let mut connection = PgConnection::establish(&url).map_err(|error| unavailable(&error))?;
                let settings = postgres_settings(access);
                connection.batch_execute(&settings).map_err(|error| unavailable(&error))?;
                Ok(Self::Postgres(connection))
            }
        }
    }
}

/// SQLite does not wait by itself where another process switches the journal or closes the last
/// connection: replicas that start at once would refuse each other.
fn open_sqlite(path: &Path, access: Access) -> Result<SqliteConnection, StorageError> {
    let path = path.to_str().ok_or_else(|| StorageError::Unavailable("the path is not UTF-8".to_owned()))?;
    let give_up = Instant::now() + SQLITE_OPEN_PATIENCE;
    loop {
        let opened =
            SqliteConnection::establish(path).map_err(|error| error.to_string()).and_then(|mut opened| {
                opened.batch_execute(&sqlite_pragmas(access)).map_err(|error| error.to_string())?;
                Ok(opened)
            });
        match opened {
            Ok(connection) => return Ok(connection),
            Err(cause) if cause.contains("locked") && Instant::now() < give_up => pause(OPEN_PAUSE),
            Err(cause) => return Err(StorageError::Unavailable(explained(&cause))),
        }
    }
}

/// Takes SQLite's write lock. SQLite's own wait looks for it every 100 ms in the end, and would hardly ever
/// meet the moment in which a busy process of the same file is between two commits.
///
/// # Errors
/// [`StorageError::Unavailable`] when another process holds it for longer than `patience`.
pub(super) fn begin_immediate(
    connection: &mut AnyConnection,
    patience: Duration,
) -> Result<(), StorageError> {
    let give_up = Instant::now() + patience;
    loop {
        match connection.batch_execute("BEGIN IMMEDIATE") {
            Err(error) if error.to_string().contains("locked") && Instant::now() < give_up => {
                pause(LOCK_PAUSE);
            }
            outcome => return outcome.map_err(StorageError::from),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "SQLite does not notify when a lock is free")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// WAL with `synchronous=FULL`: a commit is on the disk before it is acknowledged. What an update or a deletion frees within a
/// page is overwritten, or an erased user would still be in the file.
fn sqlite_pragmas(access: Access) -> String {
    let query_only = i32::from(access == Access::Read);
    let patience = match access {
        Access::Read => SQLITE_BUSY_TIMEOUT,
        // It waits in `begin_immediate`.
        Access::Write => Duration::ZERO,
        Access::Migrate => SQLITE_OPEN_PATIENCE,
    };
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA query_only = {query_only}; PRAGMA secure_delete = FAST;",
        patience.as_millis()
    )
}

/// Settings of a connection, as far as the server knows them. They bound what a replica that is paused or lost in the
/// middle of a transaction keeps from all others: the locks of the counters that every revocation needs.
fn postgres_settings(access: Access) -> String {
    let milliseconds = |time: Duration| time.as_millis().to_string();
    let mut settings = vec![("synchronous_commit", "on".to_owned())];
    if access == Access::Migrate {
        // A migration, or a read of another project's database, may take its time.
        settings.extend([("statement_timeout", "0".to_owned()), ("lock_timeout", "0".to_owned())]);
    } else {
        settings.extend([
            ("statement_timeout", milliseconds(STATEMENT_TIMEOUT)),
            ("lock_timeout", milliseconds(LOCK_TIMEOUT)),
            ("idle_in_transaction_session_timeout", milliseconds(IDLE_IN_TRANSACTION_TIMEOUT)),
            // From PostgreSQL 17.
            ("transaction_timeout", milliseconds(TRANSACTION_TIMEOUT)),
            ("tcp_keepalives_idle", "2".to_owned()),
            ("tcp_keepalives_interval", "1".to_owned()),
            ("tcp_keepalives_count", "2".to_owned()),
            ("tcp_user_timeout", "3000".to_owned()),
        ]);
    }
    let rows: Vec<String> = settings.iter().map(|(name, value)| format!("('{name}', '{value}')")).collect();
    format!(
        "SELECT set_config(known.name, wanted.value, false) FROM (VALUES {}) AS wanted (name, value) \
         JOIN pg_settings known ON known.name = wanted.name",
        rows.join(", ")
    )
}

/// libpq waits for ever by default: for a connection, of which 2 s is the least that it takes, and for a server
/// that a network has swallowed without closing anything.
const BOUNDS: [(&str, &str); 5] = [
    ("connect_timeout", "2"),
    ("tcp_user_timeout", "3000"),
    ("keepalives_idle", "2"),
    ("keepalives_interval", "1"),
    ("keepalives_count", "2"),
];

/// After a switchover the old primary may stay up: only a server that takes writes is of use.
const WRITABLE: (&str, &str) = ("target_session_attrs", "read-write");

/// Bounds what the URL itself does not.
fn with_bounds(url: &str, access: Access) -> String {
    let mut url = url.to_owned();
    let writable = Some(WRITABLE).filter(|_| access != Access::Migrate);
    for (name, value) in BOUNDS.into_iter().chain(writable) {
        if !url.contains(&format!("{name}=")) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}{name}={value}");
        }
    }
    url
}
