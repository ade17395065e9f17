use diesel::result::{DatabaseErrorKind, Error as DieselError};

use crate::error::{Error, ErrorKind};

/// Why a storage step did not happen. In every case nothing of the step was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database is away, busy beyond the bound, or its disk is full: worth a retry.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
    /// The server has gone, or ended the connection: so, most likely, it did with the others.
    #[error("the database cannot be used: {0}")]
    Disconnected(String),
    /// Another transaction holds what the step needs, and held it for as long as the step may wait.
    #[error("the database cannot be used: another transaction holds a lock")]
    Locked,
    /// The server takes no writes: it is a standby, or was the primary before a switchover.
    #[error("the database cannot be used: the server is read-only, a standby or a primary that was replaced")]
    ReadOnly,
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "diesel may add variants: `non_exhaustive`")]
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Self::ReadOnly,
            DieselError::DatabaseError(_, ref details) if details.message().contains("lock timeout") => {
                Self::Locked
            }
            DieselError::DatabaseError(_, ref details) if ends_one_connection(details.message()) => {
                Self::Unavailable(explained(details.message()))
            }
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                ref details,
            ) => Self::Disconnected(explained(details.message())),
            DieselError::RollbackErrorOnCommit { commit_error, .. } => Self::from(*commit_error),
            DieselError::DeserializationError(_) | DieselError::NotFound => {
                Self::Unreadable(error.to_string())
            }
            other => Self::Unavailable(explained(&other.to_string())),
        }
    }
}

/// Whether the server ended this connection for its own sake: its transaction stood still, or took too long. It says
/// nothing of the others.
fn ends_one_connection(message: &str) -> bool {
    ["transaction timeout", "idle-session timeout"].iter().any(|cause| message.contains(cause))
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let kind = match error {
            StorageError::Unavailable(_)
            | StorageError::Disconnected(_)
            | StorageError::Locked
            | StorageError::ReadOnly => ErrorKind::Unavailable,
            StorageError::Taken | StorageError::RolledBack | StorageError::Unreadable(_) => {
                ErrorKind::Internal
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl StorageError {
    /// Whether the database could not do it now; a later try may succeed.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Disconnected(_) | Self::Locked | Self::ReadOnly)
    }
}

/// Raw messages that say nothing to an operator, and what lies behind them.
const EXPLANATIONS: [(&[&str], &str); 5] = [
    (
        &["prepared statement", "exist"],
        "a pooler gives each transaction another connection: set PgBouncer to pool_mode = session",
    ),
    (
        &["unsupported startup parameter"],
        "PgBouncer refuses a parameter: set ignore_startup_parameters, and pool_mode = session",
    ),
    (
        &["permission denied for"],
        "the database's user has no right to it: make it the owner of the database, or grant the right",
    ),
    (
        &["unable to open database file"],
        "the folder does not exist or is not writable for this user: check its owner and mode",
    ),
    (&["readonly database"], "the file or its folder is not writable for this user: check owner and mode"),
];

/// A database's message in one line, with the cause and the remedy where they are known.
pub(super) fn explained(message: &str) -> String {
    // libpq's messages have several lines.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let known = EXPLANATIONS.iter().find(|(words, _)| words.iter().all(|word| message.contains(word)));
    match known {
        Some((_, explanation)) => format!("{message} ({explanation})"),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_of_one_connection_says_nothing_of_the_others() {
        let closed = |message: &str| {
            let details = Box::new(message.to_owned());
            StorageError::from(DieselError::DatabaseError(DatabaseErrorKind::ClosedConnection, details))
        };
        for alone in [
            "FATAL:  terminating connection due to idle-in-transaction timeout",
            "FATAL:  terminating connection due to transaction timeout",
            "FATAL:  terminating connection due to idle-session timeout",
        ] {
            assert!(matches!(closed(alone), StorageError::Unavailable(_)), "{alone}");
        }
        for all in [
            "FATAL:  terminating connection due to administrator command",
            "server closed the connection unexpectedly",
        ] {
            assert!(matches!(closed(all), StorageError::Disconnected(_)), "{all}");
        }
    }

    #[test]
    fn raw_messages_come_in_one_line_with_cause_and_remedy() {
        let table = [
            ("prepared statement \"__diesel_stmt_0\" does not exist", "pool_mode = session"),
            ("ERROR:  prepared statement \"s1\"\n already exists", "pool_mode = session"),
            ("FATAL: unsupported startup parameter: options", "ignore_startup_parameters"),
            ("permission denied for table users", "grant"),
            ("unable to open database file", "owner and mode"),
            ("attempt to write a readonly database", "owner and mode"),
        ];
        for (message, expected) in table {
            let explained = explained(message);
            assert!(explained.contains(expected) && explained.lines().count() == 1, "{explained}");
        }
        assert_eq!(explained("server closed\n the connection"), "server closed the connection");
    }
}
