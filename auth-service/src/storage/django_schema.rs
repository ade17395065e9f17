//! What has to be known of someone else's database before it is read.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::SqliteConnection;

use super::connection::AnyConnection;
use super::connection_settings::Access;
use super::error::StorageError;
use super::table_name::TableName;
use super::url::DatabaseUrl;

#[derive(QueryableByName)]
pub(super) struct Column {
    #[diesel(sql_type = Text)]
    pub name: String,
    #[diesel(sql_type = Text)]
    pub declared: String,
}

/// What Django makes of a column of SQLite, which knows neither booleans nor UUIDs.
pub(super) fn as_in_a_dump(name: &str, declared: &str) -> String {
    let column = format!("t.\"{}\"", name.replace('"', "\"\""));
    match declared {
        "bool" => format!("json(CASE {column} WHEN 1 THEN 'true' WHEN 0 THEN 'false' ELSE 'null' END)"),
        "char(32)" => format!(
            "substr({column}, 1, 8) || '-' || substr({column}, 9, 4) || '-' || substr({column}, 13, 4) || '-' || \
             substr({column}, 17, 4) || '-' || substr({column}, 21)"
        ),
        _ => column,
    }
}

pub(super) fn connect(url: &DatabaseUrl) -> Result<AnyConnection, StorageError> {
    match url {
        // The journal of a file is its owner's to choose, so none of our settings.
        DatabaseUrl::Sqlite(path) => {
            let mut connection = SqliteConnection::establish(&read_only(path)?)
                .map_err(|error| StorageError::Unavailable(error.to_string()))?;
            connection.batch_execute("PRAGMA busy_timeout = 5000; PRAGMA query_only = 1; BEGIN")?;
            Ok(AnyConnection::Sqlite(connection))
        }
        DatabaseUrl::Postgres(_) => {
            let mut connection = AnyConnection::open(url, Access::Migrate)?;
            connection.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
            Ok(connection)
        }
    }
}

/// The path as a URI that makes no file (sqlite.org/uri.html).
fn read_only(path: &Path) -> Result<String, StorageError> {
    let unavailable = |cause: &str| StorageError::Unavailable(cause.to_owned());
    if !path.is_file() {
        return Err(unavailable("the file does not exist"));
    }
    let path = path.to_str().ok_or_else(|| unavailable("the path is not UTF-8"))?;
    let escaped = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{escaped}?mode=ro"))
}

pub(super) fn exists(connection: &mut AnyConnection, table: &TableName) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Nullable<Text>)]
        found: Option<String>,
    }
    let (query, name) = match connection {
        AnyConnection::Postgres(_) => ("SELECT to_regclass($1)::text AS found", table.quoted()),
        AnyConnection::Sqlite(_) => (
            "SELECT max(name) AS found FROM sqlite_master WHERE name = $1 AND type IN ('table', 'view')",
            table.name().to_owned(),
        ),
    };
    let found: Found = sql_query(query).bind::<Text, _>(name).get_result(connection)?;
    Ok(found.found.is_some())
}

pub(super) fn primary_key(connection: &mut AnyConnection, table: &TableName) -> Result<Column, StorageError> {
    let (query, name) = match connection {
        AnyConnection::Postgres(_) => (
            "SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS declared FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
             AND a.attnum = ANY (i.indkey) WHERE i.indrelid = to_regclass($1) AND i.indisprimary",
            table.quoted(),
        ),
        AnyConnection::Sqlite(_) => (
            "SELECT name, lower(type) AS declared FROM pragma_table_info($1) WHERE pk = 1",
            table.name().to_owned(),
        ),
    };
    let mut keys: Vec<Column> = sql_query(query).bind::<Text, _>(name).load(connection)?;
    match (keys.pop(), keys.is_empty()) {
        (Some(key), true) => Ok(key),
        _ => Err(StorageError::Unavailable(format!("{} has no primary key of one column", table.quoted()))),
    }
}

/// A UUID as Django itself writes it.
pub(super) fn with_dashes(digits: &str) -> String {
    uuid::Uuid::try_parse(digits).map_or_else(|_| digits.to_owned(), |uuid| uuid.to_string())
}
