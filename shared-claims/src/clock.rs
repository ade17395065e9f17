//! The only place of this crate that reads the wall clock; everything else takes `now` as a parameter.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z; 0 when the clock stands before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
