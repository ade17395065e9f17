//! Which passwords may be set (NIST SP 800-63B-4 section 3.1.1.2): long enough, and none that is tried first. No rule
//! of composition, no end after which another one is needed: both make worse passwords.

use aws_lc_rs::digest;
use unicode_normalization::UnicodeNormalization;

use super::{MAX_PASSWORD_BYTES, spelling_key};
use crate::secret::PlainSecret;

/// Sorted first octets of the SHA-256 of passwords that were found in breaches most often, in lower case; made by
/// `scripts/breached-passwords`.
static BREACHED: &[u8] = include_bytes!("breached.bin");

const PREFIX: usize = 4;

/// Characters that must be left of a password when a word that everybody knows is taken out of it.
const LEFT_WITHOUT_A_WORD: usize = 8;

/// Shorter words than this are found in good passwords by chance.
const SHORTEST_WORD: usize = 4;

/// Why a password cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// Fewer characters than this.
    TooShort(u32),
    TooLong,
    /// It contains a null character, which Django and many clients refuse at a login.
    NullCharacter,
    /// Found in breaches so often that it is among the first to be tried.
    Breached,
    /// The account's or the service's name and hardly anything else.
    Context,
}

impl PasswordFault {
    /// For the user whose password it is.
    #[must_use]
    pub fn message(self) -> String {
        match self {
            Self::TooShort(least) => format!("the password has fewer than {least} characters"),
            Self::TooLong => format!("the password has more than {MAX_PASSWORD_BYTES} bytes"),
            Self::NullCharacter => "the password contains a null character".to_owned(),
            Self::Breached => "the password is among those that are tried first".to_owned(),
            Self::Context => "the password is little more than a name that everybody knows".to_owned(),
        }
    }
}

/// The rules, with what is set.
#[derive(Debug, Clone)]
pub struct PasswordRules {
    /// Characters after normalisation.
    pub min_characters: u32,
    /// The service's own names, as they are compared.
    pub service_words: Vec<String>,
}

impl PasswordRules {
    /// Of a service at this issuer.
    #[must_use]
    pub fn new(min_characters: u32, issuer: &str) -> Self {
        let host = issuer.split("://").nth(1).unwrap_or(issuer).split(['/', ':']).next().unwrap_or_default();
        let service_words =
            host.split('.').filter(|word| word.len() >= SHORTEST_WORD).map(spelling_key).collect();
        Self { min_characters, service_words }
    }

    /// Whether a password may be set for an account with these names (user name, e-mail address).
    ///
    /// # Errors
    /// [`PasswordFault`].
    pub fn check(&self, password: &PlainSecret, names: &[&str]) -> Result<(), PasswordFault> {
        let password = password.expose();
        if password.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordFault::TooLong);
        }
        if password.contains('\0') {
            return Err(PasswordFault::NullCharacter);
        }
        if password.nfc().count() < self.min_characters as usize {
            return Err(PasswordFault::TooShort(self.min_characters));
        }
        if is_breached(password) {
            return Err(PasswordFault::Breached);
        }
        let password = spelling_key(password);
        let of_person = names.iter().flat_map(|name| [spelling_key(name), spelling_key(local_part(name))]);
        for word in of_person.chain(self.service_words.iter().cloned()) {
            let left = password.replace(&word, "").chars().count();
            if word.chars().count() >= SHORTEST_WORD && password.contains(&word) && left < LEFT_WITHOUT_A_WORD
            {
                return Err(PasswordFault::Context);
            }
        }
        Ok(())
    }
}

fn local_part(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

fn is_breached(password: &str) -> bool {
    let hash = digest::digest(&digest::SHA256, password.to_lowercase().as_bytes());
    let prefix = &hash.as_ref()[..PREFIX];
    let (entries, _) = BREACHED.as_chunks::<PREFIX>();
    entries.binary_search_by(|entry| entry.as_slice().cmp(prefix)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PasswordFault> {
        let rules = PasswordRules::new(8, "https://auth.signet-example.org:8443/eu");
        rules.check(&PlainSecret::new(password.to_owned()), &["alice.wonder", "alice.wonder@example.net"])
    }

    #[test]
    fn length_is_what_counts_and_not_composition() {
        for good in [
            "correct horse battery staple",
            "aaaaaaaaaaaaaaaaaaaaaaaaaa b",
            "лошадь батарейка",
            "x7#kQp2!",
            &"long ".repeat(200),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(check("x7#kQp2"), Err(PasswordFault::TooShort(8)));
        assert_eq!(
            check(&"e\u{301}".repeat(7)),
            Err(PasswordFault::TooShort(8)),
            "an accent is no character"
        );
        assert_eq!(check(&"x".repeat(1025)), Err(PasswordFault::TooLong));
        assert_eq!(check("correct\0horse battery"), Err(PasswordFault::NullCharacter), "it could not log in");
    }

    #[test]
    fn what_is_tried_first_is_refused_in_any_case() {
        for breached in
            ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou1", "football1", "trustno1"]
        {
            assert_eq!(check(breached), Err(PasswordFault::Breached), "{breached}");
        }
        let (entries, rest) = BREACHED.as_chunks::<PREFIX>();
        assert!(rest.is_empty() && entries.len() > 20_000 && entries.is_sorted());
    }

    #[test]
    fn a_name_and_hardly_anything_else_is_no_password() {
        for name in ["alice.wonder", "Alice.Wonder2026", "xalice.wonder1!", "signet-example1"] {
            assert_eq!(check(name), Err(PasswordFault::Context), "{name}");
        }
        assert_eq!(check("alice.wonder in the house"), Ok(()));
    }
}
