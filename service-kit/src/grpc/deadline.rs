//! How long a call may take: what its caller says (`grpc-timeout`), and never longer than [`CALL_TIMEOUT`].

use std::time::Duration;

use tonic::codegen::http::HeaderMap;

/// A call without a deadline of its own gets this one.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The time until the head of the answer must be there. A little less than the caller gives: tonic's own layer around
/// this one ends such a call as CANCELLED, which retry policies take for the caller's own wish.
pub(super) fn time_for(headers: &HeaderMap) -> Duration {
    let given = headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(parse);
    let whole = given.unwrap_or(CALL_TIMEOUT).min(CALL_TIMEOUT);
    whole - (whole / 10).min(Duration::from_millis(5))
}

/// One to eight digits and a unit ("Requests" in the protocol of gRPC over HTTP/2).
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_every_unit_and_never_later_than_ours() {
        for (text, expected) in [
            ("1S", Duration::from_millis(995)),
            ("20m", Duration::from_millis(18)),
            ("100u", Duration::from_micros(90)),
            ("10n", Duration::from_nanos(9)),
            ("0m", Duration::ZERO),
        ] {
            assert_eq!(time_for(&headers(text)), expected, "{text}");
        }
        let ours = time_for(&HeaderMap::new());
        assert_eq!(ours, CALL_TIMEOUT - Duration::from_millis(5));
        for text in ["99999999H", "1M", "10S", "100000000S", "S", "", "1", "1s", "-1S", "1.5S", " 1S", "1Sé"]
        {
            assert_eq!(time_for(&headers(text)), ours, "{text}");
        }
    }

    fn headers(timeout: &str) -> HeaderMap {
        HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), timeout.parse().unwrap())])
    }
}
