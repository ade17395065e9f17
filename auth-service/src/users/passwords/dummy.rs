//! The hash that is verified for unknown usernames, so that the time of the answer reveals nothing (CWE-208).
//!
//! Imported accounts keep their old hashes, and those take longer or shorter than ours. A name that is unknown takes
//! as long as some account does: which one follows from the name, so that it is the same each time and at every
//! replica, and as often as there are such accounts.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;

/// Of the cost of our own hashes. Nobody knows a password for it: salt and hash are digits that were made up.
pub(super) const OUR_DUMMY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2lnbmV0LWR1bW15LXNhbHQ$MzE0MTU5MjY1MzU4OTc5MzIzODQ2MjY0MzM4MzI3OTU";

/// A hash of one scheme, and how many accounts have hashes of it.
#[derive(Debug, Clone)]
pub struct SchemeInUse {
    /// Any account's: what comes of comparing with it is thrown away.
    pub example: String,
    pub accounts: u64,
}

/// Draws by name.
pub struct Dummies {
    key: hmac::Key,
    schemes: ArcSwap<Vec<SchemeInUse>>,
}

impl Dummies {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), schemes: ArcSwap::default() }
    }

    /// Takes note of what accounts have now, in an order that is the same everywhere.
    pub fn replace(&self, schemes: Vec<SchemeInUse>) {
        self.schemes.store(Arc::new(schemes));
    }

    /// What stands in for the hash of a name.
    #[must_use]
    pub fn of(&self, name_key: &str) -> String {
        let schemes = self.schemes.load();
        let all: u64 = schemes.iter().map(|scheme| scheme.accounts).sum();
        let tag = hmac::sign(&self.key, name_key.as_bytes());
        let drawn = tag.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        // A part of the whole, not a remainder: as accounts move on, few names change their scheme.
        let mut place = u64::try_from((u128::from(drawn) * u128::from(all)) >> 64).unwrap_or_default();
        for scheme in schemes.iter() {
            if place < scheme.accounts {
                return scheme.example.clone();
            }
            place -= scheme.accounts;
        }
        OUR_DUMMY.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(example: &str, accounts: u64) -> SchemeInUse {
        SchemeInUse { example: example.to_owned(), accounts }
    }

    #[test]
    fn unknown_names_are_spread_over_the_schemes_as_accounts_are_and_each_keeps_its_own() {
        let dummies = Dummies::new(&[7; 32]);
        assert_eq!(dummies.of("anybody"), OUR_DUMMY, "an empty database");
        dummies.replace(vec![scheme("old", 750), scheme("new", 250)]);
        let names: Vec<String> = (0..4000).map(|number| format!("name-{number}")).collect();
        let old = |dummies: &Dummies| names.iter().filter(|name| dummies.of(name) == "old").count();
        assert!((2850..=3150).contains(&old(&dummies)), "{}", old(&dummies));
        let before: Vec<String> = names.iter().map(|name| dummies.of(name)).collect();
        dummies.replace(vec![scheme("old", 700), scheme("new", 300)]);
        let moved = names.iter().zip(&before).filter(|(name, before)| dummies.of(name) != **before).count();
        assert!((100..=300).contains(&moved), "one in twenty: {moved}");
        assert_ne!(old(&Dummies::new(&[8; 32])), old(&dummies), "nobody can tell which it will be");
    }
}
