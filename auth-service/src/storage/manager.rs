//! Connections of a pool, which remember that their server has failed.

use diesel::r2d2::{ManageConnection, R2D2Connection};

use super::connection::AnyConnection;
use super::connection_settings::Access;
use super::error::StorageError;
use super::generation::Generation;
use super::url::DatabaseUrl;

/// Opens pooled connections.
#[derive(Debug)]
pub(super) struct Manager {
    pub url: DatabaseUrl,
    pub access: Access,
    pub generation: Generation,
}

impl ManageConnection for Manager {
    type Connection = Tracked;
    type Error = StorageError;

    fn connect(&self) -> Result<Tracked, StorageError> {
        let (generation, opened_in) = (self.generation.clone(), self.generation.current());
        let connection = AnyConnection::open(&self.url, self.access)?;
        Ok(Tracked { connection, suspect: false, generation, opened_in })
    }

    fn is_valid(&self, tracked: &mut Tracked) -> Result<(), StorageError> {
        tracked.connection.ping().map_err(StorageError::from)
    }

    fn has_broken(&self, tracked: &mut Tracked) -> bool {
        tracked.suspect || tracked.is_retired() || tracked.connection.is_broken()
    }
}

/// A pooled connection that remembers a failure. diesel does not notice that a server has gone, and
/// asking it before each use would cost a round trip.
pub(super) struct Tracked {
    connection: AnyConnection,
    suspect: bool,
    generation: Generation,
    opened_in: u64,
}

impl Tracked {
    /// Whether the server behind it was lost, or has turned out to take no writes, since it was opened.
    pub(super) fn is_retired(&self) -> bool {
        self.opened_in != self.generation.current()
    }

    /// Runs a step; the pool replaces the connection when the step found the database unusable, and all of them when
    /// the server has closed it or takes no writes.
    pub(super) fn run<T>(
        &mut self,
        step: impl FnOnce(&mut AnyConnection) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        let outcome = step(&mut self.connection);
        match &outcome {
            Err(StorageError::Unavailable(_)) => self.suspect = true,
            Err(StorageError::Disconnected(_)) => {
                self.generation.retire(self.opened_in, "the database server closed a connection");
            }
            Err(StorageError::ReadOnly) => {
                self.generation.retire(self.opened_in, "the database server takes no writes");
            }
            Ok(_)
            | Err(
                StorageError::Locked
                | StorageError::Taken
                | StorageError::RolledBack
                | StorageError::Unreadable(_),
            ) => {}
        }
        outcome
    }
}
