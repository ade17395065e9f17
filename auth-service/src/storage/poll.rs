//! What is asked of the database again and again: whether anything has changed, and whether it takes writes.

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::connection::AnyConnection;
use super::error::StorageError;

#[derive(QueryableByName)]
struct Counter {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Encoding {
    #[diesel(sql_type = Text)]
    encoding: String,
}

/// The name of no counter: 1 when the server takes no writes. Asked in the same round trip.
const READ_ONLY: &str = "(read-only)";

/// Every counter with its value.
///
/// # Errors
/// [`StorageError::ReadOnly`] of a standby, or a primary that was replaced and stays up.
pub(super) fn counters(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>, StorageError> {
    let query = match connection {
        AnyConnection::Sqlite(_) => "SELECT name, value FROM counters",
        AnyConnection::Postgres(_) => {
            "SELECT name, value FROM counters UNION ALL SELECT '(read-only)', \
             CASE WHEN pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END"
        }
    };
    let rows: Vec<Counter> = sql_query(query).load(connection)?;
    if rows.iter().any(|row| row.name == READ_ONLY && row.value != 0) {
        return Err(StorageError::ReadOnly);
    }
    Ok(rows.into_iter().map(|row| (row.name, row.value)).collect())
}

/// Takes the locks that an audited revocation needs, one after the other, and holds neither.
pub(super) fn lock_counters(connection: &mut AnyConnection) -> Result<(), StorageError> {
    for name in ["revocations", "audit"] {
        let query = "SELECT name, value FROM counters WHERE name = $1 FOR UPDATE";
        let _: Vec<Counter> = sql_query(query).bind::<Text, _>(name).load(connection)?;
    }
    Ok(())
}

/// A write that changes nothing.
pub(super) fn touch_counters(connection: &mut AnyConnection) -> Result<(), StorageError> {
    sql_query("UPDATE counters SET value = value WHERE name = 'audit'").execute(connection)?;
    Ok(())
}

/// What the database of a connection is encoded in.
pub(super) fn encoding(connection: &mut AnyConnection) -> Result<String, StorageError> {
    let found: Encoding =
        sql_query("SELECT current_setting('server_encoding') AS encoding").get_result(connection)?;
    Ok(found.encoding)
}
