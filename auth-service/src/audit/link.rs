use super::AuditEntry;

/// A place in the chain: the number of an entry and its MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub seq: i64,
    pub mac: Vec<u8>,
}

/// An entry with its MAC, as they were read.
#[derive(Debug, Clone)]
pub struct Link {
    pub entry: AuditEntry,
    pub mac: Vec<u8>,
}

impl Link {
    #[must_use]
    pub fn position(&self) -> Position {
        Position { seq: self.entry.seq, mac: self.mac.clone() }
    }
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("entry {0} is missing")]
    Missing(i64),
    #[error("entry {0} was altered, or the one before it was, or they were made under another master key")]
    Altered(i64),
    #[error("the client IP, user agent or username of entry {0} was altered")]
    PersonalDataAltered(i64),
    #[error("the checkpoint after entry {0} was altered, or was made under another master key")]
    CheckpointAltered(i64),
    #[error("the last entry is {last}, and {written} were written")]
    CutOff { last: i64, written: i64 },
}
