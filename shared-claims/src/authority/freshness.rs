//! How long ago the authority last said that there is nothing newer.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Age of what is known of keys and revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    age: Option<Duration>,
}

impl Freshness {
    /// Time since the last word; `None` when there never was one.
    #[must_use]
    pub fn age(self) -> Option<Duration> {
        self.age
    }

    /// Whether there was contact with the authority within this time.
    #[must_use]
    pub fn is_within(self, bound: Duration) -> bool {
        self.age.is_some_and(|age| age <= bound)
    }
}

/// When the last words came, by a clock that only goes forward.
#[derive(Debug)]
pub(super) struct LastContact {
    started: Instant,
    keys: AtomicI64,
    revocations: AtomicI64,
}

/// In milliseconds since the start; negative for the contact of an earlier process.
const NEVER: i64 = i64::MIN;

impl LastContact {
    /// The last contact of an earlier process was `age` ago at the start.
    pub(super) fn at_age(age: Option<Duration>) -> Self {
        let at = age.map_or(NEVER, |age| -i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        Self { started: Instant::now(), keys: AtomicI64::new(at), revocations: AtomicI64::new(at) }
    }

    /// Contact that is never lost.
    #[cfg(feature = "test-util")]
    pub(super) fn always() -> Self {
        Self {
            started: Instant::now(),
            keys: AtomicI64::new(i64::MAX),
            revocations: AtomicI64::new(i64::MAX),
        }
    }

    #[cfg(feature = "_following")]
    pub(super) fn of_keys(&self) {
        self.keys.store(self.now(), Ordering::Relaxed);
    }

    #[cfg(feature = "_following")]
    pub(super) fn of_revocations(&self) {
        self.revocations.store(self.now(), Ordering::Relaxed);
    }

    /// The age of the older word: both are needed.
    pub(super) fn freshness(&self) -> Freshness {
        let older = self.keys.load(Ordering::Relaxed).min(self.revocations.load(Ordering::Relaxed));
        let age = self.now().saturating_sub(older).max(0);
        let age = u64::try_from(age).ok().filter(|_| older != NEVER);
        Freshness { age: age.map(Duration::from_millis) }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_words_are_needed_and_an_earlier_process_counts_from_its_last_contact() {
        let words = LastContact::at_age(None);
        words.of_keys();
        assert_eq!(words.freshness().age(), None);
        assert!(!words.freshness().is_within(Duration::MAX));
        words.of_revocations();
        assert!(words.freshness().is_within(Duration::from_secs(5)));
        let words = LastContact::at_age(Some(Duration::from_secs(100)));
        words.of_revocations();
        assert!(!words.freshness().is_within(Duration::from_secs(99)), "the keys are old");
        assert!(words.freshness().is_within(Duration::from_secs(110)));
    }
}
