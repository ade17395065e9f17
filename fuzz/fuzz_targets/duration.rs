//! A duration that parses is the number that it says, in its unit.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "settings use all of it")]
#[path = "../../service-kit/src/duration.rs"]
mod duration;

fuzz_target!(|text: &str| {
    let Some(parsed) = duration::parse(text) else { return };
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => panic!("accepted the unit {other:?}"),
    };
    assert_eq!(parsed.as_millis(), digits.parse::<u128>().expect("digits") * unit);
    assert_eq!(duration::parse(&format!("{}ms", parsed.as_millis())), Some(parsed));
});
