use std::sync::Arc;

use super::{Authority, Trust};
use crate::clock::unix_now;
use crate::public_keys::{InvalidKeySet, KeySet};
use crate::revocations::{Entry, Fingerprints, Position, RevocationDocument, RevocationsWriter};

/// Most revocations that are taken from an authority: 240 MB, which no honest one comes near.
const MOST_ENTRIES: usize = 10_000_000;

/// An epoch is an instant in milliseconds; one that lies further ahead than this was made up, and would keep
/// the true ones out for ever.
const EPOCH_AHEAD_MS: u64 = 24 * 60 * 60 * 1000;

const SWEEP_SECONDS: u64 = 60;

/// The last good state, and the only way to change it. Whatever arrives, it stays until something better is
/// whole.
pub(super) struct Held {
    authority: Arc<Authority>,
    pub jwks: Vec<u8>,
    pub keys: KeySet,
    pub revocations: RevocationsWriter,
    pub position: Position,
    /// When the document was signed that the revocations came from, in seconds since the epoch; 0 from a feed.
    pub issued_at: u64,
    /// Names the key set that was current when the revocations were published.
    pub announced_key_set: String,
    /// When what expired was last let go of, in seconds since the epoch.
    swept_at: u64,
    /// Changes that no file holds yet.
    pub unsaved: bool,
}

/// A statement of the feed: "between `after` and `position.seq` there are these entries".
pub(super) struct Statement<'a> {
    pub after: u64,
    pub position: Position,
    pub entries: Vec<Entry<'a>>,
    pub more: bool,
}

/// A snapshot on its way, which takes the place of what is held once it is complete.
pub(super) struct Snapshot {
    revocations: RevocationsWriter,
    position: Position,
    /// Whether it may end before what is held: only after a backup was restored.
    may_go_back: bool,
}

/// Why a statement cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutOfStep {
    #[error("it begins behind what is held: something is missing")]
    Gap,
    #[error("it belongs to an earlier epoch")]
    EarlierEpoch,
    #[error("its epoch lies in the future")]
    EpochInTheFuture,
    #[error("it ends before it begins")]
    Backwards,
    #[error("there are more than {MOST_ENTRIES} revocations")]
    TooMany,
}

/// What a statement said, once it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Everything up to the authority's newest revocation is here.
    Complete,
    /// More is on its way.
    More,
    /// The replica that spoke knows less than is held.
    Behind,
}

impl Held {
    /// With nothing, or with what an earlier process had saved.
    pub fn new(authority: Arc<Authority>, fingerprints: Fingerprints) -> Self {
        Self {
            authority,
            jwks: Vec::new(),
            keys: KeySet::default(),
            revocations: RevocationsWriter::new(fingerprints),
            position: Position::default(),
            issued_at: 0,
            announced_key_set: String::new(),
            swept_at: 0,
            unsaved: false,
        }
    }

    /// Takes a JWKS if it holds, and says whether it is another one than before.
    pub fn take_keys(&mut self, jwks: &[u8]) -> Result<bool, InvalidKeySet> {
        if jwks == self.jwks.as_slice() {
            return Ok(false);
        }
        self.keys = KeySet::from_jwks(jwks)?;
        self.jwks = jwks.to_vec();
        self.publish();
        tracing::info!("key set replaced");
        Ok(true)
    }

    /// Takes a document whose signature holds, unless a replica made it that is a moment behind.
    pub fn take_document(&mut self, document: RevocationDocument) -> bool {
        if !document.supersedes(self.position, self.issued_at) {
            return false;
        }
        (self.position, self.issued_at) = (document.position, document.issued_at);
        self.announced_key_set = document.key_set;
        self.revocations = document.revocations;
        self.publish();
        true
    }

    /// An empty one, for a feed that begins at 0.
    pub fn snapshot(&self, may_go_back: bool) -> Snapshot {
        Snapshot { revocations: self.revocations.anew(), position: Position::default(), may_go_back }
    }

    /// Applies one statement of a feed; `snapshot` is there while one is on its way.
    pub fn apply(
        &mut self,
        snapshot: &mut Option<Snapshot>,
        statement: Statement<'_>,
    ) -> Result<Heard, OutOfStep> {
        let said = statement.position;
        if said.epoch < self.position.epoch {
            return Err(OutOfStep::EarlierEpoch);
        }
        if said.epoch > unix_now().saturating_mul(1000).saturating_add(EPOCH_AHEAD_MS) {
            return Err(OutOfStep::EpochInTheFuture);
        }
        if said.seq < statement.after {
            return Err(OutOfStep::Backwards);
        }
        if snapshot.is_none() && said.epoch > self.position.epoch {
            *snapshot = Some(self.snapshot(false));
        }
        match snapshot.take() {
            None => self.follow(statement),
            Some(begun) => match begun.join(statement)? {
                (part, true) => {
                    *snapshot = Some(part);
                    Ok(Heard::More)
                }
                (whole, false) if whole.position < self.position && !whole.may_go_back => {
                    // Of a replica that is a moment behind; it would let revoked tokens through again.
                    Err(OutOfStep::Gap)
                }
                (whole, false) => {
                    (self.revocations, self.position) = (whole.revocations, whole.position);
                    self.issued_at = 0;
                    self.publish();
                    Ok(Heard::Complete)
                }
            },
        }
    }

    fn follow(&mut self, statement: Statement<'_>) -> Result<Heard, OutOfStep> {
        let Statement { after, position, entries, more } = statement;
        if after > self.position.seq {
            return Err(OutOfStep::Gap);
        }
        if position.seq < self.position.seq {
            return Ok(Heard::Behind);
        }
        if self.revocations.len() + entries.len() > MOST_ENTRIES {
            return Err(OutOfStep::TooMany);
        }
        let (changed, now) = (!entries.is_empty(), unix_now());
        // In place: requests that are being judged see the new entries at once.
        let mut replaced = self.revocations.apply(entries, now);
        if now >= self.swept_at + SWEEP_SECONDS {
            self.swept_at = now;
            replaced |= self.revocations.sweep(now);
        }
        self.position = position;
        self.unsaved |= changed;
        if replaced {
            self.publish();
        }
        Ok(if more { Heard::More } else { Heard::Complete })
    }

    /// Hands requests what is held from now on.
    pub fn publish(&mut self) {
        self.unsaved = true;
        self.authority.replace(Trust { keys: self.keys.clone(), revocations: self.revocations.readers() });
    }
}

impl Snapshot {
    /// Adds a part; `true` when more are to come.
    fn join(mut self, part: Statement<'_>) -> Result<(Self, bool), OutOfStep> {
        let begins = self.position == Position::default();
        let follows =
            part.after <= self.position.seq && (begins || part.position.epoch == self.position.epoch);
        if !follows {
            return Err(OutOfStep::Gap);
        }
        if self.revocations.len() + part.entries.len() > MOST_ENTRIES {
            return Err(OutOfStep::TooMany);
        }
        self.revocations.apply(part.entries, unix_now());
        self.position = part.position;
        Ok((self, part.more))
    }
}
