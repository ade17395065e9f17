use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::{Error, ErrorKind};

/// Why a storage step did not happen. In every case nothing of the step was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database is away, busy beyond the bound, or its disk is full: worth a retry.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
    /// Another row has this name already.
    #[error("the name is taken")]
    Taken,
    /// Undone, as was asked for.
    #[error("undone")]
    RolledBack,
    /// A row holds what this program would never write.
    #[error("a stored row cannot be read: {0}")]
    Unreadable(String),
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            DieselError::DeserializationError(_) | DieselError::NotFound => {
                Self::Unreadable(error.to_string())
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let kind = match error {
            StorageError::Unavailable(_) => ErrorKind::Unavailable,
            StorageError::Taken | StorageError::RolledBack | StorageError::Unreadable(_) => {
                ErrorKind::Internal
            }
        };
        Self::new(kind, error.to_string())
    }
}
