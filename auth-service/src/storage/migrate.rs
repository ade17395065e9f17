use diesel::connection::Connection;
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connection::AnyConnection;
use super::connection_settings::Access;
use super::error::StorageError;
use super::sqlite_log;
use super::url::DatabaseUrl;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The advisory lock under which replicas take turns; the number is only ours.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7305808869231650164)";

/// Brings the schema up to date, all or nothing, and names the migrations that ran. Two replicas
/// that start at once take turns; the second finds nothing to do.
pub(super) fn run(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
    if is_there(url)? && missing(url).is_ok_and(|missing| missing.is_empty()) {
        return Ok(Vec::new());
    }
    let applied = match &mut AnyConnection::open(url, Access::Migrate)? {
        AnyConnection::Sqlite(connection) => connection.exclusive_transaction(|connection| {
            connection.run_pending_migrations(SQLITE).map(names).map_err(MigrationFailed::from)
        }),
        AnyConnection::Postgres(connection) => connection.transaction(|connection| {
            sql_query(MIGRATION_LOCK).execute(connection)?;
            connection.run_pending_migrations(POSTGRES).map(names).map_err(MigrationFailed::from)
        }),
    };
    applied.map_err(|error| StorageError::Unavailable(format!("migration failed: {}", error.0)))
}

/// Names the migrations that are missing, without writing anything.
pub(super) fn pending(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
    if !is_there(url)? {
        return Err(StorageError::Unavailable("the file does not exist".to_owned()));
    }
    missing(url)
}

/// Whether there is a SQLite file. Asked before it is first opened: anyone who opens it makes its log and the log's index
/// fit each other, whatever had become of the log.
fn is_there(url: &DatabaseUrl) -> Result<bool, StorageError> {
    match url {
        DatabaseUrl::Sqlite(path) => sqlite_log::check(path).map(|()| path.exists()),
        DatabaseUrl::Postgres(_) => Ok(true),
    }
}

/// Without a lock, which every command would else have to wait for.
fn missing(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
    let mut connection = AnyConnection::open(url, Access::Read)?;
    // Not by diesel's own question, which makes the table first, under a lock. No table: nothing was applied.
    let applied = sql_query("SELECT version FROM __diesel_schema_migrations").load(&mut connection);
    let applied: Vec<Applied> = match applied {
        Ok(applied) => applied,
        Err(error)
            if ["does not exist", "no such table"].iter().any(|what| error.to_string().contains(what)) =>
        {
            Vec::new()
        }
        Err(error) => return Err(error.into()),
    };
    let applied: Vec<String> = applied.into_iter().map(|row| row.version).collect();
    Ok(embedded(url)?.into_iter().filter(|version| !applied.contains(version)).collect())
}

/// How many migrations there are.
pub(super) fn count(url: &DatabaseUrl) -> Result<usize, StorageError> {
    Ok(embedded(url)?.len())
}

fn embedded(url: &DatabaseUrl) -> Result<Vec<String>, StorageError> {
    use diesel::migration::{Migration, MigrationSource};
    let unreadable =
        |error: Box<dyn std::error::Error + Send + Sync>| StorageError::Unreadable(error.to_string());
    Ok(match url {
        DatabaseUrl::Sqlite(_) => {
            let all: Vec<Box<dyn Migration<diesel::sqlite::Sqlite>>> =
                SQLITE.migrations().map_err(unreadable)?;
            all.iter().map(|migration| migration.name().version().to_string()).collect()
        }
        DatabaseUrl::Postgres(_) => {
            let all: Vec<Box<dyn Migration<diesel::pg::Pg>>> = POSTGRES.migrations().map_err(unreadable)?;
            all.iter().map(|migration| migration.name().version().to_string()).collect()
        }
    })
}

#[derive(QueryableByName)]
struct Applied {
    #[diesel(sql_type = Text)]
    version: String,
}

fn names(versions: Vec<diesel::migration::MigrationVersion<'_>>) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}

struct MigrationFailed(String);

impl From<diesel::result::Error> for MigrationFailed {
    fn from(error: diesel::result::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for MigrationFailed {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self(error.to_string())
    }
}
