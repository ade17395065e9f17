//! ECDH and the Concat KDF (RFC 7518 section 4.6, NIST SP 800-56A section 5.8.1).

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use zeroize::Zeroizing;

/// What both sides know besides the secret: the algorithm that the key is for, and the two parties, which
/// are mostly not named.
pub(super) struct KdfContext<'a> {
    pub algorithm: &'a str,
    pub apu: &'a [u8],
    pub apv: &'a [u8],
}

/// The key that our private and their public key lead to. A public key that is no point of the curve, or
/// leads to the zero secret, is an error.
pub(super) fn agreed_key<const N: usize>(
    ours: &PrivateKey,
    theirs: &[u8],
    context: &KdfContext<'_>,
) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let theirs = UnparsedPublicKey::new(ours.algorithm(), theirs);
    agreement::agree(ours, theirs, Unspecified, |secret| derive(secret, context))
}

fn derive<const N: usize>(
    secret: &[u8],
    context: &KdfContext<'_>,
) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let digest = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(Unspecified)?;
    let mut info = Vec::new();
    for part in [context.algorithm.as_bytes(), context.apu, context.apv] {
        info.extend(length(part.len())?);
        info.extend(part);
    }
    info.extend(length(N * 8)?);
    let mut key = Zeroizing::new([0; N]);
    sskdf_digest(digest, secret, &info, &mut *key)?;
    Ok(key)
}

fn length(number: usize) -> Result<[u8; 4], Unspecified> {
    u32::try_from(number).map(u32::to_be_bytes).map_err(|_| Unspecified)
}
