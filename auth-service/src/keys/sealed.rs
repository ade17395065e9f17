//! Secrets at rest: AES-256-GCM with a random nonce, bound to a name (a key's id, an account's), so that two rows
//! cannot be swapped.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

use crate::secret::random_bytes;

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

/// Seals values without number, each under a key of its own: after 2^32 values under one key two random nonces could meet
/// (NIST SP 800-38D section 8.3), and strangers can have any number sealed.
pub struct ValueVault(hkdf::Prk);

/// Octets from which the key of one value is derived.
const SALT_LEN: usize = 16;

impl ValueVault {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key))
    }

    /// `salt || nonce || ciphertext || tag`.
    ///
    /// # Errors
    /// [`CannotOpen`] when the system has no random numbers.
    pub fn seal(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let salt: [u8; SALT_LEN] = random_bytes().map_err(|_| CannotOpen)?;
        let sealed = seal(&*self.key_of(&salt)?, name, value)?;
        Ok([salt.as_slice(), &sealed].concat())
    }

    /// # Errors
    /// [`CannotOpen`] when it was not sealed for this purpose under this name.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (salt, sealed) = sealed.split_at_checked(SALT_LEN).ok_or(CannotOpen)?;
        open(&*self.key_of(salt)?, name, sealed)
    }

    fn key_of(&self, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, CannotOpen> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [salt];
        let derived = self.0.expand(&info, hkdf::HKDF_SHA256).map_err(|_| CannotOpen)?;
        derived.fill(key.as_mut()).map_err(|_| CannotOpen)?;
        Ok(key)
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

    #[test]
    fn a_value_opens_under_the_same_key_and_name_only_and_each_has_a_key_of_its_own() {
        let vault = ValueVault::new(&[1; 32]);
        let sealed = vault.seal("code", b"value").unwrap();
        assert_eq!(vault.open("code", &sealed).unwrap().as_slice(), b"value");
        assert_eq!(vault.open("page", &sealed), Err(CannotOpen));
        assert_eq!(ValueVault::new(&[2; 32]).open("code", &sealed), Err(CannotOpen));
        for broken in [&sealed[1..], &sealed[..sealed.len() - 1], b"", &[0; 15]] {
            assert_eq!(vault.open("code", broken), Err(CannotOpen));
        }
        let mut other_salt = sealed.clone();
        other_salt[0] ^= 1;
        assert_eq!(vault.open("code", &other_salt), Err(CannotOpen));
        assert_ne!(sealed[..SALT_LEN], vault.seal("code", b"value").unwrap()[..SALT_LEN]);
    }
}
