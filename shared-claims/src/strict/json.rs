use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::MAX_JSON_DEPTH;

/// Parses exactly one JSON object: UTF-8 without a byte order mark, no duplicate member at any
/// depth (also after unescaping), at most [`MAX_JSON_DEPTH`] levels, nothing behind it.
///
/// # Errors
/// `None` for anything else. Which of the rules was broken is of no use to anybody but an attacker.
#[must_use]
pub fn parse_object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = StrictValue { depth_left: MAX_JSON_DEPTH }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// serde_json's own `Value` keeps the last of two equal names; this seed refuses them.
#[derive(Clone, Copy)]
struct StrictValue {
    depth_left: usize,
}

impl StrictValue {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_with_distinct_members_is_read() {
        let members = parse_object(br#"{"a":1,"b":{"a":[true,null,-1,1.5,"x"]}}"#);
        assert_eq!(members.map(|m| m.len()), Some(2));
    }

    #[test]
    fn what_parsers_read_differently_is_refused() {
        let deep = format!("{}{}{}", r#"{"a":"#, "[".repeat(100_000), "]".repeat(100_000) + "}");
        let table: &[(&str, &[u8])] = &[
            ("same name twice", br#"{"a":1,"a":1}"#),
            ("same name after unescaping", br#"{"sub":1,"\u0073ub":2}"#),
            ("same name in a nested object", br#"{"act":{"sub":"a","sub":"b"}}"#),
            ("byte order mark", b"\xEF\xBB\xBF{}"),
            ("invalid UTF-8", b"{\"a\":\"\xff\xfe\"}"),
            ("lone surrogate", br#"{"a":"\ud800"}"#),
            ("a second value", br#"{}{}"#),
            ("a NUL behind it", b"{}\0"),
            ("an array", b"[]"),
            ("a string", br#""x""#),
            ("nothing", b""),
            ("a number beyond the range", br#"{"exp":1e400}"#),
            ("not a number", br#"{"exp":NaN}"#),
            ("a hundred thousand levels", deep.as_bytes()),
        ];
        for (what, bytes) in table {
            assert!(parse_object(bytes).is_none(), "accepted: {what}");
        }
    }

    #[test]
    fn the_depth_cap_counts_the_outer_object() {
        let nested = |levels: usize| {
            let inner = levels - 1;
            format!(r#"{{"a":{}{}}}"#, "[".repeat(inner), "]".repeat(inner))
        };
        assert!(parse_object(nested(MAX_JSON_DEPTH).as_bytes()).is_some());
        assert!(parse_object(nested(MAX_JSON_DEPTH + 1).as_bytes()).is_none());
    }
}
