//! Secrets as types: what may be shown once, what is stored, and how the two are compared.

use std::cell::RefCell;

use aws_lc_rs::{digest, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret in clear text. It does not print itself, and its memory is wiped.
#[derive(Clone)]
pub struct PlainSecret(Zeroizing<String>);

impl PlainSecret {
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// 256 bits from the system's generator, as 43 characters of base64url.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self::new(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?)))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainSecret")
    }
}

/// SHA-256 of a random secret of 256 bits. A slow hash would protect a guessable secret; this one
/// cannot be guessed, and client tokens would pay for it each time.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedSecret(Vec<u8>);

impl HashedSecret {
    #[must_use]
    pub fn of(secret: &PlainSecret) -> Self {
        Self(digest::digest(&digest::SHA256, secret.expose().as_bytes()).as_ref().to_vec())
    }

    #[must_use]
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// In constant time.
    #[must_use]
    pub fn matches(&self, secret: &PlainSecret) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl std::fmt::Debug for HashedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashedSecret")
    }
}

/// The operating system gave no random bytes; nothing can be issued then.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct NoRandomness;

/// # Errors
/// [`NoRandomness`].
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// Random bytes that are drawn from the system at once: one call for 64 ids costs what one for a single
/// id does, which is a twentieth of a signature.
const DRAWN: usize = 1024;

/// 128 random bits as 32 hexadecimal digits, the form of simplejwt's ids: a `jti` that cannot be
/// guessed. Not for what must stay secret: what is drawn ahead lies in memory for a while.
///
/// # Errors
/// [`NoRandomness`].
pub fn random_id() -> Result<String, NoRandomness> {
    thread_local! {
        static DRAWN_AHEAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    DRAWN_AHEAD.with_borrow_mut(|drawn| {
        if drawn.len() < 16 {
            drawn.resize(DRAWN, 0);
            if rand::fill(drawn).is_err() {
                drawn.clear();
                return Err(NoRandomness);
            }
        }
        let id = hex(&drawn[drawn.len() - 16..]);
        drawn.truncate(drawn.len() - 16);
        Ok(id)
    })
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS[usize::from(value & 0xF)];
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_hash_only_and_prints_neither() {
        let (one, other) = (PlainSecret::generate().unwrap(), PlainSecret::generate().unwrap());
        let hash = HashedSecret::of(&one);
        assert!(hash.matches(&one));
        assert!(!hash.matches(&other));
        assert_eq!(format!("{one:?} {hash:?}"), "PlainSecret HashedSecret");
    }

    #[test]
    fn ids_are_32_hexadecimal_digits_and_never_come_again() {
        let ids: std::collections::HashSet<String> = (0..10_000).map(|_| random_id().unwrap()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())));
        assert_eq!(hex(&[0x00, 0x9f, 0xf0]), "009ff0");
    }
}
