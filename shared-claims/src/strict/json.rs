use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::MAX_JSON_DEPTH;

/// Up to here a member is compared with each one before it; in a larger object they are sorted, so
/// that a payload full of short names costs no quadratic time.
const FEW_MEMBERS: usize = 16;

/// A JSON value that has one reading only. Text is borrowed where no escape stands in it.
#[derive(Debug, Clone, PartialEq)]
pub enum StrictValue<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(Number),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<StrictValue<'a>>),
    /// An object.
    Object(Members<'a>),
}

/// The members of an object: no name twice, in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members<'a>(Vec<(Cow<'a, str>, StrictValue<'a>)>);

/// Parses exactly one JSON object: UTF-8 without a byte order mark, no duplicate member at any
/// depth (also after unescaping), at most [`MAX_JSON_DEPTH`] levels, nothing behind it.
///
/// # Errors
/// `None` for anything else. Which of the rules was broken is of no use to anybody but an attacker.
#[must_use]
pub fn parse_object(bytes: &[u8]) -> Option<Members<'_>> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = StrictSeed { depth_left: MAX_JSON_DEPTH }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    if let StrictValue::Object(members) = value { Some(members) } else { None }
}

impl<'a> Members<'a> {
    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&StrictValue<'a>> {
        self.0.iter().find(|(held, _)| held == name).map(|(_, value)| value)
    }

    /// The names of the members, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Whether there is a member of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes a member out; the order of the others may change.
    pub fn take(&mut self, name: &str) -> Option<StrictValue<'a>> {
        let place = self.0.iter().position(|(held, _)| held == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has_duplicates(&self) -> bool {
        if self.0.len() <= FEW_MEMBERS {
            let earlier = |place: usize| self.0.iter().take(place);
            return self
                .0
                .iter()
                .enumerate()
                .any(|(place, (name, _))| earlier(place).any(|(e, _)| e == name));
        }
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    }
}

impl<'a> IntoIterator for Members<'a> {
    type Item = (Cow<'a, str>, StrictValue<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> StrictValue<'a> {
    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is a whole one of 64 bits without a sign.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self { number.as_u64() } else { None }
    }

    /// The number, if it is a whole one of 64 bits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        if let Self::Number(number) = self { number.as_f64() } else { None }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[StrictValue<'a>]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The members, if it is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Members<'a>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }
}

impl From<StrictValue<'_>> for Value {
    fn from(value: StrictValue<'_>) -> Self {
        match value {
            StrictValue::Null => Self::Null,
            StrictValue::Bool(value) => Self::Bool(value),
            StrictValue::Number(number) => Self::Number(number),
            StrictValue::Text(text) => Self::String(text.into_owned()),
            StrictValue::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            StrictValue::Object(members) => {
                Self::Object(members.into_iter().map(|(name, v)| (name.into_owned(), v.into())).collect())
            }
        }
    }
}

/// serde_json's own `Value` keeps the last of two equal names; this seed refuses them.
#[derive(Clone, Copy)]
struct StrictSeed {
    depth_left: usize,
}

impl StrictSeed {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for StrictSeed {
    type Value = StrictValue<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<StrictValue<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictSeed {
    type Value = StrictValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("strict JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<StrictValue<'de>, E> {
        Number::from_f64(value).map(StrictValue::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<StrictValue<'de>, E> {
        Ok(StrictValue::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StrictValue<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(StrictValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StrictValue<'de>, A::Error> {
        let inner = self.deeper()?;
        // No capacity ahead: `{}` is two bytes of a token.
        let mut members = Members::default();
        while let Some(name) = map.next_key_seed(NameSeed)? {
            members.0.push((name, map.next_value_seed(inner)?));
        }
        if members.has_duplicates() {
            return Err(A::Error::custom("duplicate member"));
        }
        Ok(StrictValue::Object(members))
    }
}

/// A member's name, borrowed where it can be.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
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
    fn a_duplicate_is_found_among_many_members() {
        let object = |last: &str| {
            let members: String = (0..500).map(|n| format!(r#""m{n}":0,"#)).collect();
            format!(r#"{{{members}"{last}":0}}"#)
        };
        assert!(parse_object(object("m500").as_bytes()).is_some());
        assert!(parse_object(object("m250").as_bytes()).is_none());
        assert!(parse_object(object("m25\\u0030").as_bytes()).is_none(), "also after unescaping");
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
