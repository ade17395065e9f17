use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use arc_swap::ArcSwap;
use shared_claims::AccessClaims;
use shared_claims::revocations::{Fingerprints, NoRandomness, Position, Revocations, RevocationsWriter};

use super::{Revocation, RevocationTarget};
use crate::clock::Timestamp;
use crate::metrics;

const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The live revocations as this process knows them: its own from the moment at which they are stored,
/// those of others as soon as it has looked. Whether a token is matched is asked without a lock.
pub struct RevocationLog {
    state: RwLock<State>,
    asked: ArcSwap<Revocations>,
}

struct State {
    position: Position,
    /// In the order of their numbers, without those that can match nothing more.
    entries: Vec<Revocation>,
    sets: RevocationsWriter,
    /// What had expired by then is no longer here.
    let_go_until: Timestamp,
}

/// A part of the log: between `after` and `position.seq` there are these entries.
pub struct Page {
    pub after: u64,
    pub position: Position,
    pub entries: Vec<Revocation>,
    /// Whether the log holds more behind them.
    pub more: bool,
}

impl RevocationLog {
    /// # Errors
    /// [`NoRandomness`].
    pub fn new() -> Result<Self, NoRandomness> {
        let sets = RevocationsWriter::new(Fingerprints::random()?);
        let asked = ArcSwap::from_pointee(sets.readers());
        let state =
            State { position: Position::default(), entries: Vec::new(), sets, let_go_until: Timestamp(0) };
        Ok(Self { state: RwLock::new(state), asked })
    }

    /// Whether an access token was revoked.
    #[must_use]
    pub fn matches(&self, claims: &AccessClaims) -> bool {
        self.asked.load().matches(claims)
    }

    #[must_use]
    pub fn position(&self) -> Position {
        self.read().position
    }

    /// Applies a revocation that was just stored, before its number is known here.
    pub fn add(&self, target: &RevocationTarget, expires_at: Timestamp, now: Timestamp) {
        let mut state = self.write();
        state.sets.apply([target.until(expires_at)], now.seconds());
        self.asked.store(state.sets.readers().into());
    }

    /// Takes over what the database holds behind the log's own position, up to `position`.
    pub fn append(&self, newer: Vec<Revocation>, position: Position, now: Timestamp) {
        let mut state = self.write();
        let State { sets, entries, .. } = &mut *state;
        newer.iter().for_each(|revocation| metrics::revoked(revocation.target.kind()));
        sets.apply(newer.iter().map(Revocation::entry), now.seconds());
        entries.extend(newer);
        state.advance(position);
        self.asked.store(state.sets.readers().into());
    }

    /// Takes over all that the database holds. What is refused here stays refused: a look at the database
    /// that began before a revocation must not undo it.
    pub fn replace(&self, live: Vec<Revocation>, position: Position, now: Timestamp) {
        let mut state = self.write();
        state.sets.apply(live.iter().map(Revocation::entry), now.seconds());
        state.entries = live;
        state.advance(position);
        state.let_go_until = now;
        self.asked.store(state.sets.readers().into());
    }

    /// Whether entries that were dropped as expired are needed again: the clock had jumped ahead, and back.
    #[must_use]
    pub fn has_let_go_after(&self, now: Timestamp) -> bool {
        self.read().let_go_until > now
    }

    /// Lets go of what can match nothing more, once a minute.
    pub fn sweep_now_and_then(&self, now: Timestamp) {
        if now >= self.read().let_go_until.plus(SWEEP_INTERVAL) {
            self.sweep(now);
        }
    }

    fn sweep(&self, now: Timestamp) {
        let mut state = self.write();
        state.entries.retain(|entry| entry.expires_at > now);
        state.sets.sweep(now.seconds());
        state.let_go_until = now;
        self.asked.store(state.sets.readers().into());
    }

    /// At most `limit` entries behind a number, and how far they reach.
    #[must_use]
    pub fn page(&self, after: u64, limit: usize) -> Page {
        let state = self.read();
        let begin = state.entries.partition_point(|entry| number(entry.seq) <= after);
        let behind = state.entries.get(begin..).unwrap_or_default();
        let more = behind.len() > limit;
        let entries = behind.iter().take(limit).cloned().collect::<Vec<_>>();
        let seq = match entries.last() {
            Some(last) if more => number(last.seq),
            _ => state.position.seq,
        };
        Page { after, position: Position { seq, ..state.position }, entries, more }
    }

    /// How many there are that can still match a token.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it, for the document.
    pub(crate) fn all(&self) -> (Position, Vec<Revocation>) {
        let state = self.read();
        (state.position, state.entries.clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A row that was read may be newer than the counter that was read before it.
    fn advance(&mut self, position: Position) {
        let newest = self.entries.last().map_or(0, |entry| number(entry.seq));
        self.position = Position { epoch: position.epoch, seq: position.seq.max(newest) };
    }
}

fn number(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

#[cfg(test)]
mod tests;
