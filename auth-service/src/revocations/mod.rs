//! Revocations: the log in memory, and the signed document that tells
//! verifiers which have no stream.

mod limit;
mod log;

use crate::clock::Timestamp;
use shared_claims::revocations::{RevocationEntry, Target};

pub use limit::ClientLimiter;
pub use log::{Page, RevocationLog};

/// One entry, needed only as long as a token that it matches could live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its number; revocations are numbered without gaps in the order in which they were committed.
    pub seq: i64,
    pub target: RevocationTarget,
    pub expires_at: Timestamp,
}

/// What a revocation matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevocationTarget {
    /// Every access token of a session, by `sid`.
    Session(String),
    /// One token, by `jti`.
    Token(String),
    /// Every token of a subject that was issued up to an instant.
    Subject { sub: String, not_before: Timestamp },
    /// Every token of a client that was issued up to an instant.
    Client { id: String, not_before: Timestamp },
}

impl RevocationTarget {
    /// As documents and metrics name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Subject { .. } => "subject",
            Self::Client { .. } => "client",
        }
    }

    /// As a verifier sees it.
    fn until(&self, expires_at: Timestamp) -> RevocationEntry<'_> {
        let target = match self {
            Self::Session(id) => Target::Session(id),
            Self::Token(id) => Target::Token(id),
            Self::Subject { sub, not_before } => Target::Subject { sub, not_before: not_before.seconds() },
            Self::Client { id, not_before } => {
                Target::Client { client_id: id, not_before: not_before.seconds() }
            }
        };
        RevocationEntry { target, expires_at: expires_at.seconds_rounded_up() }
    }
}

impl Revocation {
    /// As a verifier sees it.
    #[must_use]
    pub fn entry(&self) -> RevocationEntry<'_> {
        self.target.until(self.expires_at)
    }
}
