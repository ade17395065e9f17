use std::time::SystemTime;

/// Seconds since 1970-01-01.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
