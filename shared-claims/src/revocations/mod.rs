//! What the authority has revoked before it expired, held in memory by every verifier.
//!
//! Revocations match the claims of tokens (`jti`, `sid`, `sub`, `client_id`), never their text: a token may
//! have a second spelling (signatures are malleable under ECDSA). A revoked key is not in here: it leaves
//! the key set. An entry lives only as long as a token that it matches could, so the set stays small by
//! construction; a million entries take 12 to 24 MB.

mod document;
mod id_set;
mod revoked;
mod signed_time;

pub use document::{DOCUMENT_TYPE, MAX_DOCUMENT_BYTES, REPLICA_LAG_SECONDS, RevocationDocument};
pub use id_set::{IdSet, IdSetWriter};
pub use revoked::{Fingerprints, NoRandomness, Revocations, RevocationsWriter};
pub use signed_time::{CURRENT_SECONDS, SIGNED_TIME_TYPE, SignedTime, is_current};

/// What one revocation matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Every access token of a session, by `sid`.
    Session(&'a str),
    /// One token, by `jti`.
    Token(&'a str),
    /// Every token of a subject that was issued up to and including this second.
    Subject {
        /// `sub` of the tokens.
        sub: &'a str,
        /// Seconds since the epoch.
        not_before: u64,
    },
    /// Every token of a client that was issued up to and including this second.
    Client {
        /// `client_id` of the tokens.
        client_id: &'a str,
        /// Seconds since the epoch.
        not_before: u64,
    },
}

/// A revocation, and until when it is needed: then the last token that it matches has expired everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevocationEntry<'a> {
    /// What it revokes.
    pub target: Target<'a>,
    /// Seconds since the epoch.
    pub expires_at: u64,
}

/// How far a verifier has come in the authority's sequence of revocations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Names the history that `seq` counts in: a restored database begins a new one, in most cases a greater one.
    pub epoch: u64,
    /// Number of the newest revocation; there are no gaps before it.
    pub seq: u64,
}
