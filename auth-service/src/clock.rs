//! Time as a parameter. Only this file reads the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far the clocks of two replicas may be apart.
pub const CLOCK_DIFFERENCE: Duration = Duration::from_secs(5);

/// Milliseconds since 1970-01-01T00:00:00Z, as the database holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the epoch: a NumericDate (RFC 7519 section 2).
    #[must_use]
    pub fn seconds(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    /// The first whole second that is not before this instant.
    #[must_use]
    pub fn seconds_rounded_up(self) -> u64 {
        u64::try_from(self.0.saturating_add(999) / 1000).unwrap_or(0)
    }

    /// Such as `2026-11-30T14:30:00Z` (RFC 3339).
    #[must_use]
    pub fn rfc3339(self) -> String {
        let seconds = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000));
        let text = seconds.ok().and_then(|instant| instant.format(&Rfc3339).ok());
        // Beyond the year 9999 there is no such text.
        text.unwrap_or_else(|| format!("{} s", self.seconds()))
    }

    /// Reads such a text, with any offset from UTC.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Saturates at the end of time.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The time between two instants, whichever came first.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

/// Where the core gets its time from.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn an_instant_is_written_in_utc_and_whole_seconds() {
        assert_eq!(Timestamp(1_800_000_000_999).rfc3339(), "2027-01-15T08:00:00Z");
        assert_eq!(Timestamp(-1).rfc3339(), "1969-12-31T23:59:59Z");
        assert_eq!(Timestamp(i64::MAX).rfc3339(), "9223372036854775 s");
        assert_eq!(
            Timestamp::from_rfc3339("2027-01-15T09:00:00.25+01:00"),
            Some(Timestamp(1_800_000_000_250))
        );
        assert_eq!(Timestamp::from_rfc3339("2027-01-15"), None);
    }
}
