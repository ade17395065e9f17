//! Secrets at rest: AES-256-GCM with a random nonce, bound to a name (a key's id, an account's), so that two rows
//! cannot be swapped.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use zeroize::Zeroizing;

/// The bytes were not sealed under this master key for this key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot be opened with this master key")]
pub struct CannotOpen;

/// Seals for one purpose.
pub struct Vault(Zeroizing<[u8; 32]>);

impl Vault {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*key))
    }

    /// # Errors
    /// [`CannotOpen`] never, for keys of this size.
    pub fn seal(&self, name: &str, secret: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        seal(&self.0, name, secret)
    }

    /// # Errors
    /// [`CannotOpen`] when it was not sealed for this purpose under this name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        open(&self.0, name, sealed)
    }
}

/// `nonce || ciphertext || tag`.
pub(super) fn seal(sealing_key: &[u8; 32], kid: &str, private_key: &[u8]) -> Result<Vec<u8>, CannotOpen> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, sealing_key).map_err(|_| CannotOpen)?;
    let mut sealed = private_key.to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(kid), &mut sealed).map_err(|_| CannotOpen)?;
    Ok([nonce.as_ref().as_slice(), &sealed].concat())
}

pub(super) fn open(
    sealing_key: &[u8; 32],
    kid: &str,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or(CannotOpen)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| CannotOpen)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, sealing_key).map_err(|_| CannotOpen)?;
    let mut opened = Zeroizing::new(ciphertext.to_vec());
    let length = key.open_in_place(nonce, Aad::from(kid), &mut opened).map_err(|_| CannotOpen)?.len();
    opened.truncate(length);
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_under_the_same_key_and_name_only() {
        let sealed = seal(&[1; 32], "kid", b"private").unwrap();
        assert_eq!(open(&[1; 32], "kid", &sealed).unwrap().as_slice(), b"private");
        assert_eq!(open(&[2; 32], "kid", &sealed), Err(CannotOpen));
        assert_eq!(open(&[1; 32], "other", &sealed), Err(CannotOpen));
        assert_eq!(open(&[1; 32], "kid", &sealed[..sealed.len() - 1]), Err(CannotOpen));
        assert_eq!(open(&[1; 32], "kid", b""), Err(CannotOpen));
        assert_ne!(sealed, seal(&[1; 32], "kid", b"private").unwrap(), "nonces are random");
    }
}
