//! IDs that were accepted, for as long as each might be accepted again: of proofs (RFC 9449 section 11.1), and of assertions at the
//! authority (RFC 7523 section 3).

use std::collections::hash_map::RandomState;
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest;

/// Independent parts, so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// Seconds whose IDs are forgotten together.
const BUCKET: u64 = 8;

/// Remembers IDs, each of its owner.
pub struct SeenIds {
    shards: [Mutex<Shard>; SHARDS],
    /// Most that one part remembers.
    most: usize,
    /// Secret: a holder who could tell which part an ID belongs to could fill one with few requests.
    parts: RandomState,
}

/// Those that expire within the same seconds, the soonest first.
#[derive(Default)]
struct Shard(VecDeque<(u64, HashSet<u128>)>);

/// Whether an ID was seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is remembered from now on.
    First,
    /// It was accepted before.
    Again,
    /// Too many are remembered: this one might be used again, and nobody would know.
    Full,
}

impl SeenIds {
    /// At most `most` of them.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            most: most.div_ceil(SHARDS),
            parts: RandomState::new(),
        }
    }

    /// Remembers an ID until `expires_at`, in seconds since the epoch. The ID of another owner is another one; all owners of one
    /// memory have names of the same length, or names without a zero octet.
    pub fn note(&self, owner: &[u8], jti: &str, expires_at: u64, now: u64) -> Seen {
        let id = id_of(owner, jti);
        let part = usize::try_from(self.parts.hash_one(id) % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(part) else { return Seen::Full };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.note(id, expires_at / BUCKET + 1, now / BUCKET, self.most)
    }
}

impl Shard {
    fn note(&mut self, id: u128, bucket: u64, now: u64, most: usize) -> Seen {
        while self.0.front().is_some_and(|(oldest, _)| *oldest < now) {
            self.0.pop_front();
        }
        // In each: an owner that uses an ID again in what lives longer is refused as well.
        if self.0.iter().any(|(_, ids)| ids.contains(&id)) {
            return Seen::Again;
        }
        if self.0.iter().map(|(_, ids)| ids.len()).sum::<usize>() >= most {
            return Seen::Full;
        }
        let place = self.0.partition_point(|(held, _)| *held < bucket);
        match self.0.get_mut(place) {
            Some((held, ids)) if *held == bucket => {
                ids.insert(id);
            }
            _ => self.0.insert(place, (bucket, HashSet::from([id]))),
        }
        Seen::First
    }
}

/// Half of a hash: two of a billion IDs share one with a probability below 2^-68.
fn id_of(owner: &[u8], jti: &str) -> u128 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(owner);
    context.update(&[0]);
    context.update(jti.as_bytes());
    let hash = context.finish();
    hash.as_ref().iter().take(16).fold(0, |id, octet| id << 8 | u128::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_until_it_could_not_be_accepted_any_more_whatever_the_order() {
        let seen = SeenIds::new(1000);
        let note = |name: &str, jti, expires_at, now| seen.note(name.as_bytes(), jti, expires_at, now);
        assert_eq!(note("a", "1", 1080, 1000), Seen::First);
        assert_eq!(note("b", "1", 1080, 1000), Seen::First, "of another owner");
        assert_eq!(note("a", "2", 1010, 1000), Seen::First);
        for now in 1000..=1080 {
            assert_eq!(note("a", "1", 1080, now), Seen::Again, "{now}");
        }
        assert_eq!(note("a", "1", 1200, 1080), Seen::Again, "in what lives longer");
        assert_eq!(note("a", "1", 1300, 1100), Seen::First, "it is forgotten at last");
    }

    #[test]
    fn so_many_are_remembered_and_none_is_forgotten_for_another() {
        let seen = SeenIds::new(SHARDS);
        let first = (0..1000).map(|n| (n, seen.note(b"a", &n.to_string(), 1080, 1000)));
        let (known, refused): (Vec<_>, Vec<_>) = first.partition(|(_, seen)| *seen == Seen::First);
        assert_eq!(known.len(), SHARDS);
        assert!(refused.iter().all(|(_, seen)| *seen == Seen::Full));
        for (n, _) in known {
            assert_eq!(seen.note(b"a", &n.to_string(), 1080, 1000), Seen::Again);
        }
        assert_eq!(seen.note(b"a", "5", 1300, 1200), Seen::First, "there is room again");
    }
}
