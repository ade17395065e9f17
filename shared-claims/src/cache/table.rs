//! A bounded table of tokens that any number of threads look into without a lock. Only those that add or
//! remove share one lock, and they have paid for a signature check.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwapOption, Guard};
use foldhash::quality::RandomState;

/// Places that a token may be in.
const WAYS: usize = 8;

/// Bytes that an entry takes at least: there are places for as many as could be held, and some more, for
/// tokens do not spread evenly.
const SMALLEST_ENTRY: u64 = 1024;

/// What is kept of a token. The bound is on the sum of their weights.
pub(super) trait Entry {
    fn token(&self) -> &str;
    /// Bytes.
    fn weight(&self) -> u64;
}

pub(super) struct Table<E> {
    buckets: Box<[Bucket<E>]>,
    hasher: RandomState,
    bytes: AtomicU64,
    max_bytes: u64,
    len: AtomicUsize,
    /// The bucket to evict from next; also the lock of all writers.
    hand: Mutex<usize>,
}

struct Bucket<E> {
    /// Hashes of the tokens; 0 for an empty place.
    tags: [AtomicU64; WAYS],
    /// Asked for since the hand last came by.
    used: [AtomicBool; WAYS],
    entries: [ArcSwapOption<E>; WAYS],
}

impl<E: Entry> Table<E> {
    pub(super) fn new(max_bytes: u64) -> Self {
        let places = usize::try_from(max_bytes / SMALLEST_ENTRY).unwrap_or(usize::MAX);
        let buckets = places.div_ceil(WAYS).max(1);
        Self {
            buckets: (0..buckets).map(|_| Bucket::empty()).collect(),
            hasher: RandomState::default(),
            bytes: AtomicU64::new(0),
            max_bytes,
            len: AtomicUsize::new(0),
            hand: Mutex::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The entry of exactly this token.
    pub(super) fn get(&self, token: &str) -> Option<Guard<Option<Arc<E>>>> {
        let hash = self.hash(token);
        let bucket = self.bucket(hash);
        let found = bucket.ways(hash).find_map(|way| {
            let entry = bucket.entries[way].load();
            let same = entry.as_ref().is_some_and(|entry| entry.token() == token);
            same.then_some((way, entry))
        });
        let (way, entry) = found?;
        // Checked first: readers share the cache line as long as it is not written.
        if !bucket.used[way].load(Ordering::Relaxed) {
            bucket.used[way].store(true, Ordering::Relaxed);
        }
        Some(entry)
    }

    /// Adds an entry, in place of one that nobody has asked for in a while if there is no room. One that is
    /// larger than all of the bound is not kept.
    pub(super) fn insert(&self, entry: E) {
        let (hash, weight) = (self.hash(entry.token()), entry.weight());
        let mut hand = self.writers();
        self.take_out(hash, entry.token());
        let mut rounds = 0;
        while self.bytes.load(Ordering::Relaxed) + weight > self.max_bytes {
            // The first round clears the marks, the second must find something.
            if self.len() == 0 || rounds > 2 * WAYS * self.buckets.len() {
                return;
            }
            self.evict(&self.buckets[*hand]);
            *hand = (*hand + 1) % self.buckets.len();
            rounds += 1;
        }
        let bucket = self.bucket(hash);
        let way = bucket.free_way().unwrap_or_else(|| {
            loop {
                if let Some(way) = self.evict(bucket) {
                    break way;
                }
            }
        });
        bucket.used[way].store(false, Ordering::Relaxed);
        bucket.entries[way].store(Some(Arc::new(entry)));
        bucket.tags[way].store(hash, Ordering::Relaxed);
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, token: &str) {
        let _writing = self.writers();
        self.take_out(self.hash(token), token);
    }

    /// Frees one place of a bucket: the first that was not asked for since the last time; the others lose
    /// their mark.
    fn evict(&self, bucket: &Bucket<E>) -> Option<usize> {
        (0..WAYS).find(|way| {
            let held = bucket.tags[*way].load(Ordering::Relaxed) != 0;
            let spared = held && bucket.used[*way].swap(false, Ordering::Relaxed);
            held && !spared && self.empty(bucket, *way)
        })
    }

    fn take_out(&self, hash: u64, token: &str) {
        let bucket = self.bucket(hash);
        for way in bucket.ways(hash) {
            if bucket.entries[way].load().as_ref().is_some_and(|entry| entry.token() == token) {
                self.empty(bucket, way);
            }
        }
    }

    fn empty(&self, bucket: &Bucket<E>, way: usize) -> bool {
        bucket.tags[way].store(0, Ordering::Relaxed);
        let Some(entry) = bucket.entries[way].swap(None) else { return false };
        self.bytes.fetch_sub(entry.weight(), Ordering::Relaxed);
        self.len.fetch_sub(1, Ordering::Relaxed);
        true
    }

    fn hash(&self, token: &str) -> u64 {
        self.hasher.hash_one(token).max(1)
    }

    fn bucket(&self, hash: u64) -> &Bucket<E> {
        let scaled = u128::from(hash) * self.buckets.len() as u128;
        &self.buckets[usize::try_from(scaled >> 64).unwrap_or(0)]
    }

    fn writers(&self) -> MutexGuard<'_, usize> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Bucket<E> {
    fn empty() -> Self {
        Self {
            tags: [const { AtomicU64::new(0) }; WAYS],
            used: [const { AtomicBool::new(false) }; WAYS],
            entries: std::array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    /// The places that may hold a token of this hash.
    fn ways(&self, hash: u64) -> impl Iterator<Item = usize> {
        (0..WAYS).filter(move |way| self.tags[*way].load(Ordering::Relaxed) == hash)
    }

    fn free_way(&self) -> Option<usize> {
        (0..WAYS).find(|way| self.tags[*way].load(Ordering::Relaxed) == 0)
    }
}
