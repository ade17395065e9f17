use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool, PooledConnection};
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use shared_claims::clock::unix_now;
use uuid::{NoContext, Timestamp, Uuid};

use super::{Note, NoteError, NotePage, NoteText, PageRequest};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
const POOL_SIZE: u32 = 4;
const POOL_WAIT: Duration = Duration::from_millis(500);

diesel::table! {
    notes (id) {
        id -> Text,
        owner -> Text,
        text -> Text,
        created_at -> BigInt,
    }
}

type Row = (String, String, i64);

/// The notes on disk. Every question names the owner, so that no answer can hold another's note.
pub struct NoteStore {
    pool: Pool<ConnectionManager<SqliteConnection>>,
}

/// WAL with `synchronous=FULL`: a note that was acknowledged survives a power cut.
#[derive(Debug)]
struct Pragmas;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for Pragmas {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        connection
            .batch_execute("PRAGMA busy_timeout = 750; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

impl NoteStore {
    /// Opens the file, makes it if it does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// One line with the path.
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: String| format!("{}: {error}", path.display());
        let name = path.to_str().ok_or_else(|| failed("the path is not UTF-8".to_owned()))?;
        // Alone, before there are others: connections that switch a new file to WAL at the same time refuse each other.
        let mut first = SqliteConnection::establish(name).map_err(|error| failed(error.to_string()))?;
        Pragmas.on_acquire(&mut first).map_err(|error| failed(error.to_string()))?;
        first
            .exclusive_transaction(|connection| {
                connection.run_pending_migrations(MIGRATIONS).map(drop).map_err(MigrationFailed)
            })
            .map_err(|error| failed(error.0.to_string()))?;
        let pool = Pool::builder()
            .max_size(POOL_SIZE)
            .connection_timeout(POOL_WAIT)
            .connection_customizer(Box::new(Pragmas))
            .build(ConnectionManager::new(name))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { pool })
    }

    /// # Errors
    /// [`NoteError::Unavailable`].
    pub fn list(&self, owner: &str, page: &PageRequest) -> Result<NotePage, NoteError> {
        let size = usize::try_from(page.size).unwrap_or(usize::MAX);
        let after = page.after.as_deref().unwrap_or("");
        let mut rows: Vec<Row> = notes::table
            .filter(notes::owner.eq(owner))
            .filter(notes::id.gt(after))
            .order(notes::id)
            .limit(i64::from(page.size) + 1)
            .select((notes::id, notes::text, notes::created_at))
            .load(&mut self.connection()?)?;
        let more = rows.len() > size;
        rows.truncate(size);
        let notes: Vec<Note> = rows.into_iter().map(note).collect();
        let next_after = notes.last().filter(|_| more).map(|last| last.id.clone());
        Ok(NotePage { notes, next_after })
    }

    /// # Errors
    /// [`NoteError::Unavailable`].
    pub fn create(&self, owner: &str, text: &NoteText) -> Result<Note, NoteError> {
        let now = unix_now();
        // Ordered by time, to the second, so that pages are.
        let id = Uuid::new_v7(Timestamp::from_unix(NoContext, now, 0)).to_string();
        let created_at = i64::try_from(now).unwrap_or(i64::MAX);
        diesel::insert_into(notes::table)
            .values((
                notes::id.eq(&id),
                notes::owner.eq(owner),
                notes::text.eq(&text.0),
                notes::created_at.eq(created_at),
            ))
            .execute(&mut self.connection()?)?;
        Ok(Note { id, text: text.0.clone(), created_at: now })
    }

    /// # Errors
    /// [`NoteError::NotFound`], [`NoteError::Unavailable`].
    pub fn get(&self, owner: &str, id: &str) -> Result<Note, NoteError> {
        let row: Option<Row> = notes::table
            .filter(notes::id.eq(id))
            .filter(notes::owner.eq(owner))
            .select((notes::id, notes::text, notes::created_at))
            .first(&mut self.connection()?)
            .optional()?;
        row.map(note).ok_or(NoteError::NotFound)
    }

    /// # Errors
    /// [`NoteError::NotFound`], [`NoteError::Unavailable`].
    pub fn delete(&self, owner: &str, id: &str) -> Result<(), NoteError> {
        let found = notes::table.filter(notes::id.eq(id)).filter(notes::owner.eq(owner));
        let deleted = diesel::delete(found).execute(&mut self.connection()?)?;
        if deleted == 0 { Err(NoteError::NotFound) } else { Ok(()) }
    }

    /// Runs `work` on a thread that may block: SQLite does.
    ///
    /// # Errors
    /// Those of the work; [`NoteError::Unavailable`].
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, NoteError> + Send + 'static,
    ) -> Result<T, NoteError> {
        let store = Arc::clone(self);
        let outcome = tokio::task::spawn_blocking(move || work(&store)).await;
        outcome.unwrap_or_else(|cancelled| Err(NoteError::Unavailable(cancelled.to_string())))
    }

    fn connection(&self) -> Result<PooledConnection<ConnectionManager<SqliteConnection>>, NoteError> {
        self.pool.get().map_err(|error| NoteError::Unavailable(error.to_string()))
    }
}

struct MigrationFailed(Box<dyn std::error::Error + Send + Sync>);

impl From<diesel::result::Error> for MigrationFailed {
    fn from(error: diesel::result::Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<diesel::result::Error> for NoteError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}

fn note((id, text, created_at): Row) -> Note {
    Note { id, text, created_at: u64::try_from(created_at).unwrap_or(0) }
}
