//! A password hash as it rests in the database: our own, or one that Django made and that stays until its owner
//! has logged in once.

use std::num::NonZeroU32;

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::{digest, pbkdf2};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::secret::hex;

/// A hash that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredHash<'a> {
    /// In PHC form; Django puts `argon2` before it.
    Argon2(&'a str),
    /// The salt is its own text, not what it decodes to.
    Pbkdf2 {
        digest: Digester,
        iterations: NonZeroU32,
        salt: &'a str,
        hash: Vec<u8>,
    },
    /// `prehashed`: of the hexadecimal SHA-256 of the password, so that none of it is cut off at 72 bytes.
    Bcrypt {
        prehashed: bool,
        encoded: &'a str,
    },
    Scrypt {
        params: ScryptCost,
        salt: &'a str,
        hash: Vec<u8>,
    },
    /// Of salt and password, once (Django until 5.0 for `sha1`); without a salt where Django had none.
    Once {
        digest: OnceDigest,
        salt: &'a str,
        hash: &'a str,
    },
    /// No password fits: the account has none.
    Unusable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digester {
    Sha256,
    Sha1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnceDigest {
    Md5,
    Sha1,
}

impl OnceDigest {
    /// Django's name of the format.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
        }
    }

    /// Characters of a digest in hexadecimal.
    pub(super) fn length(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
        }
    }

    fn of(self, salt: &str, password: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::new().chain_update(salt).chain_update(password).finalize()),
            Self::Sha1 => {
                let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
                context.update(salt.as_bytes());
                context.update(password);
                hex(context.finish().as_ref())
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScryptCost {
    pub(super) log_n: u8,
    pub(super) r: u32,
    pub(super) p: u32,
}

/// Why a hash cannot be taken over. Says nothing of the hash itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownHash {
    #[error("the hash is of no known format")]
    Format,
    #[error("the {0} hash is malformed")]
    Malformed(&'static str),
    #[error("the {0} hash costs more than a login may")]
    TooCostly(&'static str),
}

impl StoredHash<'_> {
    /// Django's name of the format.
    #[must_use]
    pub fn format(&self) -> &'static str {
        match self {
            Self::Argon2(_) => "argon2",
            Self::Pbkdf2 { digest: Digester::Sha256, .. } => "pbkdf2_sha256",
            Self::Pbkdf2 { digest: Digester::Sha1, .. } => "pbkdf2_sha1",
            Self::Bcrypt { prehashed: true, .. } => "bcrypt_sha256",
            Self::Bcrypt { prehashed: false, .. } => "bcrypt",
            Self::Scrypt { .. } => "scrypt",
            Self::Once { digest, .. } => digest.format(),
            Self::Unusable => "unusable",
        }
    }

    /// Format and cost: hashes of one scheme take equally long.
    #[must_use]
    pub fn scheme(&self) -> String {
        let cost = match self {
            Self::Argon2(phc) => phc.split('$').nth(3).unwrap_or_default().to_owned(),
            Self::Pbkdf2 { iterations, .. } => iterations.to_string(),
            Self::Bcrypt { encoded, .. } => encoded.split('$').nth(2).unwrap_or_default().to_owned(),
            Self::Scrypt { params: ScryptCost { log_n, r, p }, .. } => format!("{log_n},{r},{p}"),
            Self::Once { .. } | Self::Unusable => return self.format().to_owned(),
        };
        format!("{}:{cost}", self.format())
    }

    /// Whether these octets are the password. Compares in constant time.
    #[must_use]
    pub fn fits(&self, password: &[u8]) -> bool {
        match self {
            Self::Argon2(phc) => PasswordHash::new(phc)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Self::Pbkdf2 { digest, iterations, salt, hash } => {
                let algorithm = match digest {
                    Digester::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                    Digester::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                };
                pbkdf2::verify(algorithm, *iterations, salt.as_bytes(), password, hash).is_ok()
            }
            Self::Bcrypt { prehashed: true, encoded } => {
                let prehashed = hex(digest::digest(&digest::SHA256, password).as_ref());
                bcrypt::verify(prehashed, encoded).is_ok_and(|fits| fits)
            }
            Self::Bcrypt { prehashed: false, encoded } => {
                bcrypt::verify(password, encoded).is_ok_and(|fits| fits)
            }
            Self::Scrypt { params, salt, hash } => {
                let mut derived = vec![0; hash.len()];
                let params = scrypt::Params::new(params.log_n, params.r, params.p);
                let done = params.is_ok_and(|params| {
                    scrypt::scrypt(password, salt.as_bytes(), &params, &mut derived).is_ok()
                });
                done & bool::from(derived.ct_eq(hash))
            }
            Self::Once { digest, salt, hash } => {
                digest.of(salt, password).as_bytes().ct_eq(hash.as_bytes()).into()
            }
            Self::Unusable => false,
        }
    }
}

#[cfg(test)]
mod tests;
