//! Nested tokens: a signed token inside a JWE (RFC 7516, RFC 7519 section 11.2), so that anyone who carries it
//! cannot read it. Sealing needs the audience's public key, opening its private one; neither can sign.
//!
//! One profile, and everything else is refused: `alg` ECDH-ES (P-256 or X25519) or RSA-OAEP-256, `enc`
//! A256GCM, `cty` JWT, a `kid`, no extension of any kind.

mod content;
mod decryption;
mod encryption_key;
mod key_agreement;
#[cfg(test)]
mod vectors;

pub use decryption::{DecryptionKeys, InvalidDecryptionKey};
pub use encryption_key::{EncryptionKey, InvalidEncryptionKey, SealingFailed};

/// `alg` for direct key agreement (RFC 7518 section 4.6, RFC 8037 section 3.2).
const ECDH_ES: &str = "ECDH-ES";

/// `alg` for a key that is encrypted to an RSA key (RFC 7518 section 4.3).
const RSA_OAEP_256: &str = "RSA-OAEP-256";

/// `enc`, the one way in which the content is encrypted (RFC 7518 section 5.3).
const A256GCM: &str = "A256GCM";

/// Whether a token has the five parts of a JWE in compact serialisation (RFC 7516 section 3.1).
#[must_use]
pub fn is_encrypted(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 4
}
