//! How far a use case came by what memory knows, and what it needs to be finished.

use super::Authority;
use crate::error::Result;
use crate::sessions::Rotation;
use crate::storage::{Redeem, Redeemed, Rotate};

/// Work that blocks.
type Work<T> = Box<dyn FnOnce(&Authority) -> Result<T> + Send>;

/// Turns what the storage decided into the answer; it does not block.
type Answer<Decided, T> = Box<dyn FnOnce(&Authority, Decided) -> Result<T> + Send>;

/// A use case that has gone as far as memory leads. Every rule stands in one function: what can be answered at once and
/// what has to ask the database differ in how they end, not in what they check.
pub enum Step<T> {
    /// The answer. Neither disk nor a password hash was touched.
    Done(T),
    /// The rest blocks: it belongs on a thread that may.
    Blocks(Work<T>),
    /// The rotation of a refresh token, which waits for the disk without a thread.
    Rotates { rotate: Rotate, then: Answer<Rotation, T> },
    /// The redemption of a code, which waits like that.
    Redeems { redeem: Box<Redeem>, then: Answer<Redeemed, T> },
}

impl<T> Step<T> {
    pub fn blocks(work: impl FnOnce(&Authority) -> Result<T> + Send + 'static) -> Self {
        Self::Blocks(Box::new(work))
    }

    /// Does the rest here and now, on a thread that may block.
    ///
    /// # Errors
    /// Those of the use case.
    pub fn complete(self, authority: &Authority) -> Result<T> {
        match self {
            Self::Done(answer) => Ok(answer),
            Self::Blocks(work) => work(authority),
            Self::Rotates { rotate, then } => then(authority, authority.rotate(rotate)?),
            Self::Redeems { redeem, then } => then(authority, authority.redeem(redeem)?),
        }
    }
}
