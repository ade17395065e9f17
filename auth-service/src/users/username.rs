use precis_profiles::UsernameCasePreserved;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;

/// A username: 1 to 150 characters without control characters, surrounding space not counted, as in Django.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

/// Why a text cannot become the name of a new user, in words for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UsernameFault(&'static str);

impl UsernameFault {
    #[must_use]
    pub fn message(self) -> &'static str {
        self.0
    }
}

impl Username {
    /// A name that a user may have: to look one up, and for users that are imported as they are.
    /// `None` when the text cannot be a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=150).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self { text: text.to_owned(), key: spelling_key(text) })
    }

    /// The name of a new user, by the profile UsernameCasePreserved (RFC 8265 section 3.4): letters and digits of any
    /// script and the visible characters of ASCII, but neither `/` nor `:`, so that no name reads like a URL.
    /// Zero-width and direction marks, spaces, symbols and emoji are refused: a name must look like what it is.
    ///
    /// # Errors
    /// [`UsernameFault`].
    pub fn new(text: &str) -> Result<Self, UsernameFault> {
        let length = UsernameFault("`username` has 1 to 150 characters and no control characters");
        let name = Self::parse(text).ok_or(length)?;
        let enforced = UsernameCasePreserved::enforce(name.text.as_str()).map_err(|_| {
            UsernameFault("`username` consists of letters, digits and visible ASCII characters, without spaces (RFC 8265)")
        })?;
        // In the enforced form: full-width characters become these.
        if enforced.contains(['/', ':']) {
            return Err(UsernameFault("`username` may not contain `/` or `:`"));
        }
        Self::parse(&enforced).ok_or(length)
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is compared.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the name looks like, in any letter case: names that readers confuse share it
    /// (Unicode Technical Standard 39 section 4).
    #[must_use]
    pub fn skeleton(&self) -> String {
        // Of the name as it is shown: `Ivan` looks like `lvan`, `ivan` does not.
        let shown: String = self.text.nfkc().collect();
        skeleton(&shown).collect::<String>().to_lowercase()
    }
}

/// What all spellings of a name have in common: compatibility forms and letter case are not told apart, as in
/// RFC 8265 section 3.3, but for all compatibility forms and not only for wide ones. Nobody can take a name that looks
/// like another's, and who guesses at `alice`, `ALICE` and full-width `ａｌｉｃｅ` guesses at one account.
#[must_use]
pub fn spelling_key(unverified: &str) -> String {
    // Lower case may bring forth what is not normal, and the reverse.
    unverified.trim().nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_spelling_and_is_compared_by_what_all_spellings_share() {
        let name = Username::parse("  Alice ").unwrap();
        assert_eq!((name.as_str(), name.key()), ("Alice", "alice"));
        for spelling in
            ["ALICE", "alice", "\u{ff21}lice", "\u{ff41}\u{ff4c}\u{ff49}\u{ff43}\u{ff45}", "\u{2090}lice"]
        {
            assert_eq!(spelling_key(spelling), "alice", "{spelling}");
        }
        assert_eq!(spelling_key("Jose\u{301}"), spelling_key("JOS\u{c9}"));
        assert_ne!(spelling_key("al ice"), "alice");
        for key in ["\u{130}", "\u{1e9e}", "\u{2126}", "\u{fb03}"].map(spelling_key) {
            assert_eq!(spelling_key(&key), key, "a key is its own key");
        }
    }

    #[test]
    fn what_is_empty_too_long_or_holds_control_characters_is_no_name() {
        assert!(Username::parse(&"a".repeat(150)).is_some());
        for text in ["", "   ", &"a".repeat(151), "a\nb", "a\u{0}b"] {
            assert!(Username::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_new_name_has_emails_and_digits_of_any_script_and_nothing_that_is_not_seen() {
        for text in
            ["alice", "a.b+c@example.org", "jos\u{e9}", "\u{5f20}\u{4f1f}", "O'Brien", "x_-9", "\u{ff21}lice"]
        {
            assert!(Username::new(text).is_ok(), "{text:?}");
        }
        assert_eq!(Username::new("Jose\u{301}").unwrap().as_str(), "Jos\u{e9}", "in normal form C");
        let refused = [
            "al\u{200b}ice",
            "al\u{ad}ice",
            "al\u{2060}ice",
            "al\u{200d}ice",
            "\u{202e}alice",
            "al\u{2066}ice",
            "al\u{fe0f}ice",
            "al ice",
            "al\u{a0}ice",
            "al\u{3000}ice",
            "alice\u{1f600}",
            "http://evil.example",
            "alice:admin",
            "a/b",
            "a\u{ff0f}b",
            "http\u{ff1a}\u{ff0f}\u{ff0f}evil.example",
            "\u{1d44e}lice",
            "al\u{e000}ice",
        ];
        for text in refused {
            assert!(Username::new(text).is_err(), "{text:?}");
            assert!(Username::parse(text).is_some(), "an imported user may be called so: {text:?}");
        }
    }

    #[test]
    fn names_that_look_alike_share_their_skeleton() {
        let skeleton = |text: &str| Username::parse(text).unwrap().skeleton();
        let alike = [
            ("alice", "\u{430}lice"),
            ("alice", "a1ice"),
            ("Ivan", "lvan"),
            ("bob", "b0b"),
            ("Bob", "\u{412}o\u{412}"),
            ("paypal", "\u{440}\u{430}y\u{440}\u{430}l"),
            ("modern", "rnodern"),
            ("oscar", "\u{3bf}scar"),
        ];
        for (one, other) in alike {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [("alice", "alicia"), ("bob", "rob"), ("ivan", "lvan"), ("\u{5f20}", "\u{5f35}")]
        {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }
}
