use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Authority, Trust};
use crate::public_keys::{InvalidKeySet, KeySet};
use crate::revocations::{Fingerprints, Position, REPLICA_LAG_SECONDS, RevocationEntry, RevocationsWriter};

/// Most revocations that are taken from an authority: 240 MB, which no honest one comes near.
const MOST_ENTRIES: usize = 10_000_000;

/// An unsigned epoch is a time in milliseconds: one further ahead than this was invented.
const EPOCH_AHEAD_MS: u64 = 24 * 60 * 60 * 1000;

const SWEEP_SECONDS: u64 = 60;

/// A clock that goes back by less was set right by its daemon; entries outlive their tokens by more.
const CLOCK_STEP_SECONDS: u64 = 30;

/// The latest time by which something may have been let go of, in seconds since the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LatestTime(u64);

impl LatestTime {
    /// As an earlier process had it.
    pub(super) fn of(seconds: u64) -> Self {
        Self(seconds)
    }

    pub(super) fn seconds(&self) -> u64 {
        self.0
    }

    /// Whether the clock has gone back since; said once for each time.
    pub(super) fn went_back(&mut self, now: u64) -> bool {
        let went_back = now + CLOCK_STEP_SECONDS < self.0;
        self.0 = if went_back { now } else { self.0.max(now) };
        went_back
    }
}

/// The last good state, and the only way to change it. Whatever arrives, it stays until something better is
/// whole.
pub(super) struct Held {
    authority: Arc<Authority>,
    pub jwks: Vec<u8>,
    pub keys: KeySet,
    pub revocations: RevocationsWriter,
    pub position: Position,
    /// How far the keys had come, in the same history.
    pub keys_position: Position,
    /// When the document was signed that the revocations came from, in seconds since the epoch; 0 from a feed.
    pub issued_at: u64,
    /// When what expired was last let go of, in seconds since the epoch.
    swept_at: u64,
    pub latest: LatestTime,
    /// Changes that no file holds yet.
    pub unsaved: bool,
}

/// A statement of the feed: "between `after` and `position.seq` there are these entries".
pub(super) struct Statement<'a> {
    pub after: u64,
    pub position: Position,
    pub entries: Vec<RevocationEntry<'a>>,
    pub more: bool,
    /// Whether the authority signed the epoch.
    pub signed: bool,
}

/// A snapshot on its way, which takes the place of what is held once it is complete.
pub(super) struct Snapshot {
    revocations: RevocationsWriter,
    pub position: Position,
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
    #[error("the snapshot ends before what is held")]
    Late,
    #[error("the clock went back: what it made expire is needed again")]
    ClockWentBack,
}

/// How the next statements begin: set where it is learnt that something is missing.
#[derive(Debug)]
pub(super) struct Next {
    pub begin: Begin,
    /// Since when the authority has known less than is held.
    behind_since: Option<Instant>,
}

/// Where what follows begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Behind what is held.
    Behind,
    /// With a snapshot: something is missing.
    Again,
    /// With a snapshot, also if it ends before what is held: the authority has gone back.
    AgainFromEarlier,
}

impl Next {
    pub(super) fn new() -> Self {
        Self { begin: Begin::Behind, behind_since: None }
    }

    /// What follows from a statement; an error when the next one must begin elsewhere.
    ///
    /// # Errors
    /// Why, for the log; whether it counts as a refused update.
    pub(super) fn act_on(&mut self, applied: Result<Applied, OutOfStep>) -> Result<Applied, (String, bool)> {
        let gone_back = || ("the authority has gone back".to_owned(), false);
        match applied {
            Ok(Applied::Complete) => *self = Self::new(),
            Ok(Applied::Behind) if self.is_behind() => return Err(gone_back()),
            Ok(Applied::Behind | Applied::More) => {}
            Err(why) => {
                let counts = match why {
                    OutOfStep::Late | OutOfStep::EarlierEpoch => {
                        let _ = self.is_behind();
                        why == OutOfStep::EarlierEpoch
                    }
                    OutOfStep::Gap | OutOfStep::ClockWentBack => {
                        self.begin = Begin::Again;
                        why == OutOfStep::Gap
                    }
                    OutOfStep::EpochInTheFuture | OutOfStep::Backwards | OutOfStep::TooMany => true,
                };
                return Err((why.to_string(), counts));
            }
        }
        applied.map_err(|why| (why.to_string(), false))
    }

    /// Once more something has come that knows less than is held. `true` when that has gone on for longer than a
    /// replica may be late: a backup was restored, and what it says is true. No clock on the wall decides this.
    pub(super) fn is_behind(&mut self) -> bool {
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        let too_long = since.elapsed() > Duration::from_secs(REPLICA_LAG_SECONDS);
        if too_long {
            self.begin = Begin::AgainFromEarlier;
        }
        too_long
    }
}

/// What a statement said, once it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied {
    /// Everything up to the authority's newest revocation is here.
    Complete,
    /// More is on its way.
    More,
    /// The replica that spoke knows less than is held.
    Behind,
}

impl Held {
    /// With nothing, or with what an earlier process had saved.
    pub(super) fn new(authority: Arc<Authority>, fingerprints: Fingerprints) -> Self {
        Self {
            authority,
            jwks: Vec::new(),
            keys: KeySet::default(),
            revocations: RevocationsWriter::new(fingerprints),
            position: Position::default(),
            keys_position: Position::default(),
            issued_at: 0,
            swept_at: 0,
            latest: LatestTime::default(),
            unsaved: false,
        }
    }

    /// Takes a JWKS if it holds, and says whether it is another one than before.
    pub(super) fn take_keys(&mut self, jwks: &[u8]) -> Result<bool, InvalidKeySet> {
        if jwks == self.jwks.as_slice() {
            return Ok(false);
        }
        self.keys = KeySet::from_jwks(jwks)?;
        self.jwks = jwks.to_vec();
        self.publish();
        tracing::info!("key set replaced");
        Ok(true)
    }

    /// The same from a feed, which says how far the keys have come.
    #[cfg(feature = "feed")]
    pub(super) fn take_announced_keys(
        &mut self,
        jwks: &[u8],
        position: Position,
    ) -> Result<bool, InvalidKeySet> {
        let changed = if jwks.is_empty() { false } else { self.take_keys(jwks)? };
        self.keys_position = position;
        Ok(changed)
    }

    /// Whether every revocation up to some moment was received once.
    pub(super) fn is_complete(&self) -> bool {
        self.authority.complete.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn become_complete(&self) -> bool {
        self.authority.is_complete()
    }

    /// An empty one, for a feed that begins at 0.
    pub(super) fn snapshot(&self, may_go_back: bool) -> Snapshot {
        Snapshot {
            revocations: self.revocations.empty_with_same_key(),
            position: Position::default(),
            may_go_back,
        }
    }

    /// Applies one statement of a feed; `snapshot` is there while one is on its way.
    pub(super) fn apply(
        &mut self,
        snapshot: &mut Option<Snapshot>,
        statement: Statement<'_>,
        now: u64,
    ) -> Result<Applied, OutOfStep> {
        let said = statement.position;
        if self.latest.went_back(now) {
            return Err(OutOfStep::ClockWentBack);
        }
        let goes_back = snapshot.as_ref().is_some_and(|snapshot| snapshot.may_go_back);
        if said.epoch < self.position.epoch && !goes_back {
            return Err(OutOfStep::EarlierEpoch);
        }
        if said.epoch > self.position.epoch && !statement.signed && !is_possible(said.epoch, now) {
            return Err(OutOfStep::EpochInTheFuture);
        }
        if said.seq < statement.after {
            return Err(OutOfStep::Backwards);
        }
        if snapshot.is_none() && said.epoch > self.position.epoch {
            *snapshot = Some(self.snapshot(false));
        }
        match snapshot.take() {
            None => self.follow(statement, now),
            Some(begun) => match begun.join(statement, now)? {
                (part, true) => {
                    *snapshot = Some(part);
                    Ok(Applied::More)
                }
                (whole, false) if whole.position < self.position && !whole.may_go_back => {
                    // Of a replica that is a moment behind; it would let revoked tokens through again.
                    Err(OutOfStep::Late)
                }
                (whole, false) => {
                    (self.revocations, self.position) = (whole.revocations, whole.position);
                    self.issued_at = 0;
                    self.publish();
                    Ok(Applied::Complete)
                }
            },
        }
    }

    fn follow(&mut self, statement: Statement<'_>, now: u64) -> Result<Applied, OutOfStep> {
        let Statement { after, position, entries, more, .. } = statement;
        if after > self.position.seq {
            return Err(OutOfStep::Gap);
        }
        if position.seq < self.position.seq {
            return Ok(Applied::Behind);
        }
        if self.revocations.len() + entries.len() > MOST_ENTRIES {
            return Err(OutOfStep::TooMany);
        }
        let changed = !entries.is_empty();
        // In place: requests that are being evaluated see the new entries at once.
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
        Ok(if more { Applied::More } else { Applied::Complete })
    }

    /// Hands requests what is held from now on.
    pub(super) fn publish(&mut self) {
        self.unsaved = true;
        self.authority.replace(Trust { keys: self.keys.clone(), revocations: self.revocations.readers() });
    }
}

/// Whether an epoch can have begun, by a clock in seconds that may be a day behind.
pub(super) fn is_possible(epoch: u64, now: u64) -> bool {
    epoch <= now.saturating_mul(1000).saturating_add(EPOCH_AHEAD_MS)
}

impl Snapshot {
    /// Adds a part; `true` when more are to come.
    fn join(mut self, part: Statement<'_>, now: u64) -> Result<(Self, bool), OutOfStep> {
        let begins = self.position == Position::default();
        let follows =
            part.after <= self.position.seq && (begins || part.position.epoch == self.position.epoch);
        if !follows {
            return Err(OutOfStep::Gap);
        }
        if self.revocations.len() + part.entries.len() > MOST_ENTRIES {
            return Err(OutOfStep::TooMany);
        }
        self.revocations.apply(part.entries, now);
        self.position = part.position;
        Ok((self, part.more))
    }
}

#[cfg(test)]
pub(super) mod tests;
