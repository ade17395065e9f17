use unicode_normalization::UnicodeNormalization;

/// 1 to 150 characters without control characters, surrounding space not counted, as in Django.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

impl Username {
    /// `None` when the text cannot be a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=150).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self { text: text.to_owned(), key: spelling_key(text) })
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
}
