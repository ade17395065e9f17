/// Milliseconds since the epoch of a date and time in ISO 8601; without an offset it is UTC, as Django keeps it.
pub(super) fn instant(text: &str) -> Option<i64> {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;
    let mut text = text.trim().replacen(' ', "T", 1);
    let has_offset = text.get(10..).is_some_and(|time| time.contains(['Z', '+', '-']));
    if !has_offset {
        text.push('Z');
    }
    let at = OffsetDateTime::parse(&text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_every_database_writes_them() {
        for text in [
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05.678912Z",
            "2026-01-02 03:04:05.678912",
            "2026-01-02T05:04:05.678+02:00",
        ] {
            assert_eq!(instant(text), Some(1_767_323_045_678), "{text}");
        }
        assert_eq!(instant("yesterday"), None);
    }
}
