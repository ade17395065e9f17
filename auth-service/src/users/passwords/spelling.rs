//! How a password may have been typed: a letter with an accent is one character on one keyboard and two on another
//! (NIST SP 800-63B-4 section 3.1.1.2).

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The one form in which passwords are hashed here: NFC (Unicode Standard Annex 15).
#[must_use]
pub(super) fn normal(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.nfc().collect())
}

/// Every form that a stored hash may have been made of, the likeliest first. Django hashes what was typed.
#[must_use]
pub(super) fn candidates(password: &str) -> Vec<Zeroizing<String>> {
    let mut forms = vec![normal(password)];
    if password.is_ascii() {
        return forms;
    }
    for form in [Zeroizing::new(password.to_owned()), Zeroizing::new(password.nfd().collect())] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_is_the_same_however_it_was_typed_and_what_is_ascii_has_one_form() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        assert_eq!(normal(decomposed).as_str(), composed);
        assert_eq!(candidates(composed), candidates(composed));
        let forms: Vec<String> = candidates(decomposed).iter().map(|form| form.to_string()).collect();
        assert_eq!(forms, [composed, decomposed]);
        assert_eq!(candidates("plain").len(), 1);
        assert_eq!(candidates("\u{212b}").len(), 3, "the sign of the angstrom has a third");
    }
}
