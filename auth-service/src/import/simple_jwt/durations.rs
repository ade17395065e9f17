use std::time::Duration;

use serde_json::Value;

/// A duration as a number of seconds, or as Python, Django and ISO 8601 write it.
///
/// # Errors
/// What was expected.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let wrong =
        || "is code, or no duration: a number of seconds, \"0:05:00\" or \"1 day, 0:00:00\"".to_owned();
    let seconds = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().or_else(|| python(text)).or_else(|| iso8601(text)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let seconds = seconds.filter(|seconds| (0.0..1e10).contains(seconds)).ok_or_else(wrong)?;
    Ok(Duration::from_secs(Duration::from_secs_f64(seconds).as_secs()))
}

/// In the largest unit that holds it wholly, as our settings have it.
pub(super) fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let fits = units.iter().find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size));
    fits.map_or_else(|| format!("{seconds}s"), |(size, unit)| format!("{}{unit}", seconds / size))
}

/// `str(timedelta)`: `1 day, 0:05:00`; Django's `duration_string`: `1 00:05:00`.
fn python(text: &str) -> Option<f64> {
    let (days, clock) = match text.split_once(", ").or_else(|| text.split_once(' ')) {
        Some((days, clock)) => (days.split(' ').next()?.parse::<f64>().ok()?, clock),
        None => (0.0, text),
    };
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    Some(((days * 24.0 + hours) * 60.0 + minutes) * 60.0 + seconds)
}

/// `P1DT00H05M00S`, as `DjangoJSONEncoder` writes it.
fn iso8601(text: &str) -> Option<f64> {
    let (date, time) = text.strip_prefix('P')?.split_once('T')?;
    let mut seconds =
        if date.is_empty() { 0.0 } else { date.strip_suffix('D')?.parse::<f64>().ok()? * 86_400.0 };
    let mut rest = time;
    for (unit, size) in [('H', 3600.0), ('M', 60.0), ('S', 1.0)] {
        if let Some((number, behind)) = rest.split_once(unit) {
            seconds += number.parse::<f64>().ok()? * size;
            rest = behind;
        }
    }
    rest.is_empty().then_some(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_read_in_every_form_and_written_in_ours() {
        for (given, expected) in [
            (json!(300), "5m"),
            (json!(90.0), "90s"),
            (json!("300"), "5m"),
            (json!("0:05:00"), "5m"),
            (json!("1 day, 0:00:00"), "1d"),
            (json!("14 days, 12:00:00"), "348h"),
            (json!("1 00:05:00"), "1445m"),
            (json!("P1DT00H05M00S"), "1445m"),
            (json!("PT5M"), "5m"),
            (json!(0), "0s"),
        ] {
            assert_eq!(duration(&given).map(written).as_deref(), Ok(expected), "{given}");
        }
        for wrong in [
            json!("timedelta(minutes=5)"),
            json!("5 minutes"),
            json!(-1),
            json!(null),
            json!([5]),
            json!("1:2"),
        ] {
            assert!(duration(&wrong).is_err(), "{wrong}");
        }
    }
}
