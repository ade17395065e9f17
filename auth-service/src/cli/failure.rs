use crate::error::{AdminFault, Error, ErrorKind};
use crate::storage::StorageError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    Failed(String),
    /// An invalid argument or input.
    Usage(String),
    /// Not found, or the name is taken.
    Wrong(String),
}

impl Failure {
    /// The same with another text.
    pub(super) fn with(self, text: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Failed(cause) => Self::Failed(text(cause)),
            Self::Usage(cause) => Self::Usage(text(cause)),
            Self::Wrong(cause) => Self::Wrong(text(cause)),
        }
    }
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self::Failed(cause)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind {
            ErrorKind::Admin(AdminFault::Invalid) => Self::Usage(error.cause),
            ErrorKind::Admin(AdminFault::NotFound | AdminFault::Taken | AdminFault::InUse) => {
                Self::Wrong(error.cause)
            }
            ErrorKind::InvalidRequest(_)
            | ErrorKind::OAuth(_)
            | ErrorKind::SignIn(_)
            | ErrorKind::Token(_)
            | ErrorKind::Account(_)
            | ErrorKind::TooManyAttempts(_)
            | ErrorKind::Overloaded
            | ErrorKind::Unavailable
            | ErrorKind::Internal => Self::Failed(error.cause),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Failed(error.to_string())
    }
}

pub(crate) type Done = Result<(), Failure>;
