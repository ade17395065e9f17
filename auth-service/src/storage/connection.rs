use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, MultiConnection};

use super::connection_settings::{
    Access, SQLITE_OPEN_PATIENCE, postgres_settings, sqlite_pragmas, with_bounds,
};
use super::error::{StorageError, explained};
use super::url::DatabaseUrl;

/// Longest wait for SQLite's write lock, which another process may hold, of a command or a start: nobody waits
/// for an answer but a user.
pub(super) const SQLITE_PATIENCE: Duration = Duration::from_secs(10);

/// How often a writer looks whether the lock is free.
const LOCK_PAUSE: Duration = Duration::from_micros(250);

const OPEN_PAUSE: Duration = Duration::from_millis(10);

/// One set of queries for both databases.
#[derive(MultiConnection)]
pub(super) enum AnyConnection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// Runs a query on the connection that is inside. Where it is asked for each request: by the outer one its text is built twice
/// each time, which costs as much as to run it.
macro_rules! on_inner {
    ($connection:expr, |$inner:ident| $query:expr) => {
        match $connection {
            AnyConnection::Postgres($inner) => $query,
            AnyConnection::Sqlite($inner) => $query,
        }
    };
}
pub(super) use on_inner;

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
