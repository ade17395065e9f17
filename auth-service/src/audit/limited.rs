//! Refusals for too many attempts, in the audit log: enough of them to see an attack, never so many that the attack fills
//! the log.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;

const WINDOW: Duration = Duration::from_secs(60);

/// Entries of this replica for one cause in one window.
const MOST_IN_WINDOW: usize = 20;

/// Which refusals get an entry of their own: for each cause and count (a username, a network, or both) one a minute, and 20 a
/// minute for each cause. Who tries many names from one network fills one entry, not the log.
#[derive(Default)]
pub struct LimitedEntries(Mutex<HashMap<&'static str, Window>>);

#[derive(Default)]
struct Window {
    began_at: Option<Timestamp>,
    noted: HashSet<String>,
    /// Refusals since the last entry that have none of their own.
    unnoted: u64,
}

impl LimitedEntries {
    /// Counts a refusal. `Some` when it gets an entry: with the number of those before it that got none.
    pub(crate) fn count(&self, cause: &'static str, count: &str, now: Timestamp) -> Option<u64> {
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = causes.entry(cause).or_default();
        // Either way: a clock that was set back must not silence the log.
        let is_over = window.began_at.is_none_or(|began_at| began_at.distance(now) >= WINDOW);
        if is_over {
            window.noted.clear();
            window.began_at = Some(now);
        }
        if window.noted.len() < MOST_IN_WINDOW && window.noted.insert(count.to_owned()) {
            return Some(std::mem::take(&mut window.unnoted));
        }
        window.unnoted += 1;
        None
    }

    /// The entry could not be written: the next refusal tries again.
    pub(crate) fn undo(&self, cause: &'static str, count: &str, unnoted: u64) {
        let mut causes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = causes.entry(cause).or_default();
        window.noted.remove(count);
        window.unnoted += unnoted + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_one_entry_a_minute_and_each_cause_twenty() {
        let (entries, now) = (LimitedEntries::default(), Timestamp(1_800_000_000_000));
        let count = |of: &str, at| entries.count("logins", of, at);
        assert_eq!(count("a", now), Some(0));
        assert_eq!(count("a", now), None);
        assert_eq!(count("a", now.plus(Duration::from_secs(59))), None);
        assert_eq!(count("b", now), Some(2), "those before it are counted");
        assert_eq!(count("a", now.plus(WINDOW)), Some(0), "a new minute");
        let flood = (0..10_000).filter_map(|n| count(&format!("n{n}"), now.plus(WINDOW))).count();
        assert_eq!(flood, MOST_IN_WINDOW - 1);
        assert_eq!(
            entries.count("e-mails", "a", now.plus(WINDOW)),
            Some(0),
            "another cause has entries of its own"
        );
        assert_eq!(count("a", now.plus(WINDOW * 2)), Some(10_000 - flood as u64));
        entries.undo("logins", "a", 7);
        assert_eq!(count("a", now.plus(WINDOW * 2)), Some(8), "an entry that was not written is tried again");
        assert_eq!(count("c", now.minus(WINDOW)), Some(0), "the clock was set back");
    }
}
