//! AES-256-GCM over the signed token (RFC 7518 section 5.3).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;

pub(super) const KEY_BYTES: usize = 32;
pub(super) const IV_BYTES: usize = NONCE_LEN;
pub(super) const TAG_BYTES: usize = 16;

/// Encrypts in place and appends the tag. A key is used once, so that a random IV cannot repeat under it.
pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
    aad: &str,
    content: &mut Vec<u8>,
) -> Result<(), Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::from(aad.as_bytes()), content)
}

/// Decrypts content with its tag behind it.
pub(super) fn open<'a>(
    key: &[u8],
    iv: &[u8],
    aad: &str,
    content_and_tag: &'a mut [u8],
) -> Result<&'a [u8], Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?);
    let nonce = Nonce::try_assume_unique_for_key(iv)?;
    Ok(key.open_in_place(nonce, Aad::from(aad.as_bytes()), content_and_tag)?)
}
