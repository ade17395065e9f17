//! Scopes (RFC 6749 section 3.3).

use std::fmt;

/// One scope-token: 1 to 128 characters of printable ASCII without space, `"` and `\`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(String);

/// A set of scopes, held as it is written: in order, space-separated, without duplicates. Sets are
/// small, so that looking through one costs less than a tree of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet(String);

/// The text is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scope: printable ASCII without quotes and backslashes, single spaces between")]
pub struct InvalidScope;

impl Scope {
    /// # Errors
    /// [`InvalidScope`] when the text is empty, too long or holds another character.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        check(text).map(|()| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(scope: &str) -> Result<(), InvalidScope> {
    let allowed = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
    let fits = !scope.is_empty() && scope.len() <= 128 && scope.bytes().all(allowed);
    if fits { Ok(()) } else { Err(InvalidScope) }
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
        text.split(' ').try_for_each(check)?;
        if text.split(' ').is_sorted_by(|one, next| one < next) {
            return Ok(Self(text.to_owned()));
        }
        let mut scopes: Vec<&str> = text.split(' ').collect();
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self(scopes.join(" ")))
    }

    /// Whether a scope is in it.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.iter().any(|held| held == scope)
    }

    /// Whether each scope of it is in the other one.
    #[must_use]
    pub fn is_subset(&self, of: &Self) -> bool {
        self.iter().all(|scope| of.contains(scope))
    }

    /// Whether it permits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Separated by spaces, as in a token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without the scopes that begin with a prefix.
    #[must_use]
    pub fn without(&self, prefix: &str) -> Self {
        if !self.iter().any(|scope| scope.starts_with(prefix)) {
            return self.clone();
        }
        Self(self.iter().filter(|scope| !scope.starts_with(prefix)).collect::<Vec<_>>().join(" "))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|scope| !scope.is_empty())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
    fn a_set_holds_whole_scopes_only() {
        let set = ScopeSet::parse("notes:read notes:write").unwrap();
        assert!(set.contains("notes:read"));
        for other in ["notes:rea", "notes:read ", "read", "", " ", "notes:read notes:write"] {
            assert!(!set.contains(other), "{other:?}");
        }
        assert!(ScopeSet::default().is_subset(&set));
        assert!(!set.is_subset(&ScopeSet::parse("notes:read").unwrap()));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [" ", "a  b", " a", "a ", "a\tb", "a\"b", "a\\b", "ä", "a\u{0}b"] {
            assert_eq!(ScopeSet::parse(text), Err(InvalidScope), "{text:?}");
        }
    }
}
