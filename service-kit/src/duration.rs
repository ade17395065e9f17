//! Durations as users write them: `500ms`, `30s`, `5m`, `24h`, `30d`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// A whole number and one unit; nothing else, so that `5` is not five of something.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(Duration::from_millis)
}

/// A duration of `MIN` to `MAX` seconds. For `#[serde(deserialize_with)]`.
///
/// # Errors
/// What was expected.
pub fn between<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration =
        parse(&text).ok_or_else(|| D::Error::custom("expected a duration such as `30s`, `5m` or `24h`"))?;
    if duration < Duration::from_secs(MIN) || duration > Duration::from_secs(MAX) {
        return Err(D::Error::custom(format!("expected a duration of {MIN} to {MAX} seconds")));
    }
    Ok(duration)
}

/// A duration that may be absent. For `#[serde(deserialize_with)]`, with a default.
///
/// # Errors
/// What was expected.
pub fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    optional_between::<D, 1, 86_400>(deserializer)
}

/// The same, of `MIN` to `MAX` seconds.
///
/// # Errors
/// What was expected.
pub fn optional_between<'de, D: Deserializer<'de>, const MIN: u64, const MAX: u64>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    between::<D, MIN, MAX>(deserializer).map(Some)
}

/// For `#[serde(serialize_with)]`.
///
/// # Errors
/// Those of the serializer.
pub fn write_optional<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => write(duration, serializer),
        None => serializer.serialize_none(),
    }
}

/// For `#[serde(serialize_with)]`.
///
/// # Errors
/// Those of the serializer.
pub fn write<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

/// As it is written in settings, in the largest unit that gives a whole number.
#[must_use]
pub fn text(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.iter().find(|(_, unit)| milliseconds > 0 && milliseconds.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", milliseconds / unit),
        None if milliseconds == 0 => "0s".to_owned(),
        None => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        let table = [
            ("500ms", Some(500)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("24h", Some(86_400_000)),
            ("30d", Some(2_592_000_000)),
            ("0s", Some(0)),
            ("5", None),
            ("", None),
            ("s", None),
            ("-5s", None),
            ("1.5h", None),
            ("5 m", None),
            ("5M", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ];
        for (text, milliseconds) in table {
            assert_eq!(parse(text), milliseconds.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_duration_is_written_in_its_largest_whole_unit() {
        for written in ["0s", "1ms", "1500ms", "90s", "5m", "36h", "1d", "30d"] {
            assert_eq!(text(parse(written).unwrap()), written);
        }
        assert_eq!(text(Duration::from_secs(24 * 3600)), "1d");
    }
}
