use crate::clock::Timestamp;
use crate::import::{BlacklistedToken, ImportedUser};

/// What is taken over in one transaction.
#[derive(Debug)]
pub struct Batch {
    pub users: Vec<ImportedUser>,
    pub tokens: Vec<BlacklistedToken>,
    /// An account that was made here becomes the one of the same name from there.
    pub adopt: bool,
    /// Undo all of it once it is known what would have become of it.
    pub dry_run: bool,
    pub now: Timestamp,
    /// When the last access token of a session that ends now has expired everywhere.
    pub revoked_until: Timestamp,
}

/// What became, or would become, of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    New,
    Changed,
    Unchanged,
    /// By another account that was taken over.
    NameTaken,
    /// By an account that was not.
    MadeHere,
    /// The id belongs to an account that was made here.
    IdTaken,
    /// The id stood in this batch before.
    Twice,
}

/// In the order of the batch.
#[derive(Debug)]
pub struct BatchOutcome(pub Vec<Fate>);
