//! Scopes (RFC 6749 section 3.3).

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;

/// One scope-token: 1 to 128 characters of printable ASCII without space, `"` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A set of scopes, written in order, space-separated, without duplicates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<Scope>);

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: printable ASCII without quotes and backslashes, single spaces between")]
pub struct InvalidScope;

impl Scope {
    /// # Errors
    /// [`InvalidScope`] when the text is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(allowed) {
            return Err(InvalidScope);
        }
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl ScopeSet {
    /// Parses `scope` as it stands in a request or a claim; the empty text is the empty set.
    ///
    /// # Errors
    /// [`InvalidScope`] for two spaces in a row, a leading or trailing one, or a bad scope-token.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(' ').map(Scope::parse).collect::<Result<_, _>>().map(Self)
    }

    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    #[must_use]
    pub fn is_subset(&self, of: &Self) -> bool {
        self.0.is_subset(&of.0)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_one_spelling() {
        let set = ScopeSet::parse("notes:write notes:read notes:write").map(|s| s.to_string());
        assert_eq!(set.as_deref(), Ok("notes:read notes:write"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "ä", "a\u{0}b"] {
            assert_eq!(ScopeSet::parse(text), Err(InvalidScope), "{text:?}");
        }
    }
}
