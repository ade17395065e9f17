//! Refusals for too many attempts, in the audit log: enough of them to see an attack, never so many that the attack fills
//! the log.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::audit::Event;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::users::Attempt;

/// Why a login is refused whose name or network has failed too often.
pub(crate) const TOO_MANY_LOGINS: &str = "too many logins have failed";

const WINDOW: Duration = Duration::from_secs(60);

/// Entries of this replica in one window.
const MOST_IN_WINDOW: usize = 60;

/// Which refusals get an entry of their own: of each attempt one a minute, 60 a minute in all.
#[derive(Default)]
pub struct LimitedEntries(Mutex<Window>);

#[derive(Default)]
struct Window {
    began_at: Option<Timestamp>,
    noted: HashSet<String>,
    /// Refusals since the last entry that have none of their own.
    unnoted: u64,
}

impl LimitedEntries {
    /// Counts a refusal. `Some` when it gets an entry: with the number of those before it that got none.
    fn count(&self, attempt: String, now: Timestamp) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Either way: a clock that was set back must not silence the log.
        let is_over = window.began_at.is_none_or(|began_at| began_at.distance(now) >= WINDOW);
        if is_over {
            window.noted.clear();
            window.began_at = Some(now);
        }
        if window.noted.len() < MOST_IN_WINDOW && window.noted.insert(attempt) {
            return Some(std::mem::take(&mut window.unnoted));
        }
        window.unnoted += 1;
        None
    }
}

impl Authority {
    /// Counts an attempt as failed before it is made, and refuses it when there were too many: before any work is done
    /// and whatever is presented. `event` names the attempt in the audit log.
    ///
    /// # Errors
    /// `TooManyAttempts` with `cause`; `Unavailable`: what cannot be counted is not tried.
    pub(crate) fn check_limit(
        &self,
        attempt: &Attempt,
        cause: &'static str,
        event: impl FnOnce() -> Result<Event>,
    ) -> Result<()> {
        let now = self.now();
        let Some(wait) = self.storage.begin_attempt(attempt, now)? else { return Ok(()) };
        self.note_limited(attempt.id(), cause, event)?;
        Err(Error::too_many_attempts(wait, cause))
    }

    /// Writes a refusal to the audit log, if it is one that gets an entry.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn note_limited(
        &self,
        attempt: String,
        cause: &'static str,
        event: impl FnOnce() -> Result<Event>,
    ) -> Result<()> {
        let Some(unnoted) = self.limited.count(attempt, self.now()) else { return Ok(()) };
        let event = event()?.refused(cause);
        let event = match unnoted {
            0 => event,
            _ => event.detail(format!("{unnoted} more refused for too many attempts before this one")),
        };
        Ok(self.storage.note_refusal(event)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_has_one_entry_a_minute_and_all_of_them_sixty() {
        let (entries, now) = (LimitedEntries::default(), Timestamp(1_800_000_000_000));
        assert_eq!(entries.count("a".to_owned(), now), Some(0));
        assert_eq!(entries.count("a".to_owned(), now), None);
        assert_eq!(entries.count("a".to_owned(), now.plus(Duration::from_secs(59))), None);
        assert_eq!(entries.count("b".to_owned(), now), Some(2), "those before it are counted");
        assert_eq!(entries.count("a".to_owned(), now.plus(WINDOW)), Some(0), "a new minute");
        let flood = (0..10_000).filter_map(|n| entries.count(format!("n{n}"), now.plus(WINDOW))).count();
        assert_eq!(flood, MOST_IN_WINDOW - 1);
        assert_eq!(entries.count("a".to_owned(), now.plus(WINDOW * 2)), Some(10_000 - flood as u64));
        assert_eq!(entries.count("c".to_owned(), now.minus(WINDOW)), Some(0), "the clock was set back");
    }
}
