//! Secrets as types: what may be shown once, what is stored, and how the two are compared.

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
/// cannot be guessed, and machine tokens would pay for it each time.
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

/// 128 random bits as 32 hexadecimal digits, the form of simplejwt's ids: a `jti` that cannot be
/// guessed.
///
/// # Errors
/// [`NoRandomness`].
pub fn random_id() -> Result<String, NoRandomness> {
    Ok(hex(&random_bytes::<16>()?))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
}
