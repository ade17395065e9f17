//! What was taken back before it expired, and the signed document that tells verifiers.

mod document;
mod held;

use crate::clock::Timestamp;

pub use document::RevocationDocument;
pub use held::HeldRevocations;

/// One entry, needed only as long as a token that it hits could live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its number; revocations are numbered without gaps in the order in which they were committed.
    pub seq: i64,
    pub thing: RevokedThing,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokedThing {
    /// Every access token of a session, by `sid`.
    Session(String),
    /// One token, by `jti`.
    Token(String),
    /// Every token of a client that was issued up to an instant.
    Client { id: String, not_before: Timestamp },
}
