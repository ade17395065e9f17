//! A set of 64-bit fingerprints that one writer grows while any number of readers look into it, without a
//! lock and without writing to memory that they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Fullest that a table gets, in percent: at 77 a miss looks at ten slots on average, most of them in one
/// cache line (Knuth, TAOCP 6.4, linear probing).
const FULLEST: usize = 77;

/// What a table that was made again is filled to, in percent, so that it stays within 24 bytes an entry.
const FILLED_ANEW: usize = 53;

const SMALLEST: usize = 64;

/// Never a fingerprint.
const EMPTY: u64 = 0;

/// The readers' side. A copy looks into the same table.
#[derive(Debug, Clone)]
pub struct IdSet {
    slots: Arc<[AtomicU64]>,
}

/// The writer's side: it also knows until when each entry is needed.
#[derive(Debug)]
pub struct IdSetWriter {
    set: IdSet,
    /// By slot, in seconds since the epoch.
    expiries: Vec<u32>,
    len: usize,
}

impl IdSet {
    fn with_room_for(entries: usize) -> Self {
        let slots = (entries * 100 / FILLED_ANEW).max(SMALLEST);
        Self { slots: (0..slots).map(|_| AtomicU64::new(EMPTY)).collect() }
    }

    /// Whether a fingerprint is in it.
    #[must_use]
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.find(fingerprint).is_ok()
    }

    /// The slot of a fingerprint, or the empty one where it would go. Ends, for no table is ever full.
    fn find(&self, fingerprint: u64) -> Result<usize, usize> {
        let sought = fingerprint.max(1);
        let mut slot = self.home(sought);
        loop {
            // Nothing else hangs on the order: a fingerprint is the whole entry.
            match self.slots[slot].load(Ordering::Relaxed) {
                EMPTY => return Err(slot),
                found if found == sought => return Ok(slot),
                _ => slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 },
            }
        }
    }

    /// Spreads over any number of slots, so that a table need not double (Lemire, 2016).
    fn home(&self, fingerprint: u64) -> usize {
        let scaled = u128::from(fingerprint) * self.slots.len() as u128;
        usize::try_from(scaled >> 64).unwrap_or(0)
    }
}

impl Default for IdSetWriter {
    fn default() -> Self {
        Self::with_room_for(0)
    }
}

impl IdSetWriter {
    fn with_room_for(entries: usize) -> Self {
        let set = IdSet::with_room_for(entries);
        Self { expiries: vec![0; set.slots.len()], set, len: 0 }
    }

    /// What readers are to look into; another one after [`Self::insert`] or [`Self::sweep`] said so.
    #[must_use]
    pub fn readers(&self) -> IdSet {
        self.set.clone()
    }

    /// How many fingerprints are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the set takes, for readers and writer.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.set.slots.len() * (size_of::<AtomicU64>() + size_of::<u32>())
    }

    /// Adds a fingerprint that is needed until `expires_at`. Readers of the present table see it at once;
    /// `true` when a larger table took its place, which they must be given.
    pub fn insert(&mut self, fingerprint: u64, expires_at: u32, now: u32) -> bool {
        let replaced = if (self.len + 1) * 100 > self.set.slots.len() * FULLEST {
            self.recreate(now);
            true
        } else {
            false
        };
        self.put(fingerprint, expires_at);
        replaced
    }

    /// Lets go of what expired, where that is most of it; `true` when the table is another one.
    pub fn sweep(&mut self, now: u32) -> bool {
        if self.set.slots.len() <= SMALLEST {
            return false;
        }
        let live = self.iter().filter(|(_, expires_at)| *expires_at > now).count();
        let wasteful = live * 2 < self.len || live * 100 * 2 < self.set.slots.len() * FILLED_ANEW;
        if wasteful {
            self.recreate(now);
        }
        wasteful
    }

    /// Every fingerprint with its expiry.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> {
        let fingerprints = self.set.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        fingerprints.zip(self.expiries.iter().copied()).filter(|(fingerprint, _)| *fingerprint != EMPTY)
    }

    fn recreate(&mut self, now: u32) {
        let live = self.iter().filter(|(_, expires_at)| *expires_at > now).count();
        let mut replacement = Self::with_room_for(live + 1);
        for (fingerprint, expires_at) in self.iter().filter(|(_, expires_at)| *expires_at > now) {
            replacement.put(fingerprint, expires_at);
        }
        *self = replacement;
    }

    fn put(&mut self, fingerprint: u64, expires_at: u32) {
        match self.set.find(fingerprint) {
            Ok(slot) => self.expiries[slot] = self.expiries[slot].max(expires_at),
            Err(slot) => {
                self.expiries[slot] = expires_at;
                self.set.slots[slot].store(fingerprint.max(1), Ordering::Relaxed);
                self.len += 1;
            }
        }
    }
}
