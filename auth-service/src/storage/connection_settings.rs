//! How connections are set: what they wait for, and for how long.

use std::time::Duration;

/// Longest wait for SQLite's write lock while requests are served: they get 503 within a second.
pub(super) const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_millis(750);

/// Longest wait for another process that opens, migrates or closes the file.
pub(super) const SQLITE_OPEN_PATIENCE: Duration = Duration::from_secs(5);

/// Pages that the one writer keeps in memory: it looks for the place of a row in several indexes, and reads what it has not.
const WRITER_CACHE_KIB: u32 = 16 * 1024;

/// The same for each connection that reads; SQLite's own default.
const READER_CACHE_KIB: u32 = 2 * 1000;

/// Longest time that PostgreSQL may take for one statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest silence within a transaction, which is microseconds unless the process is paused or its host is gone. Then
/// the server ends the transaction, and with it the locks.
const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest time for a whole transaction, where the server can bound it.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait of one for a lock that another transaction holds. With the wait for a connection it is half a second.
const LOCK_TIMEOUT: Duration = Duration::from_millis(300);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Migrate,
}

/// Pages in the log before they are moved into the database: a page that many commits change is moved once. 16 MiB, which is what one
/// index of the log covers.
const CHECKPOINT_PAGES: u32 = 4000;

/// WAL with `synchronous=FULL`: a commit is on the disk before it is acknowledged. What an update or a deletion frees within a
/// page is overwritten, or an erased user would still be in the file.
pub(super) fn sqlite_pragmas(access: Access) -> String {
    let query_only = i32::from(access == Access::Read);
    let patience = match access {
        Access::Read => SQLITE_BUSY_TIMEOUT,
        // It waits in `begin_immediate`.
        Access::Write => Duration::ZERO,
        Access::Migrate => SQLITE_OPEN_PATIENCE,
    };
    let cached = if access == Access::Write { WRITER_CACHE_KIB } else { READER_CACHE_KIB };
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{cached}; \
         PRAGMA foreign_keys = ON; PRAGMA query_only = {query_only}; PRAGMA secure_delete = FAST; \
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};",
        patience.as_millis()
    )
}

/// Settings of a connection, as far as the server knows them. They bound what a replica that is paused or lost in the
/// middle of a transaction keeps from all others: the locks of the counters that every revocation needs.
pub(super) fn postgres_settings(access: Access) -> String {
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
pub(super) fn with_bounds(url: &str, access: Access) -> String {
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
