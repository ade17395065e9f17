//! A password hash as it rests in the database: our own, or one that Django made and that stays until its owner
//! has logged in once.

use std::num::NonZeroU32;

use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params};
use aws_lc_rs::{digest, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use crate::secret::hex;

/// Bounds of what a login may cost: beyond them a hash was made by mistake, or to stop the service.
const MAX_ITERATIONS: u32 = 10_000_000;
const MAX_MEMORY_BYTES: u64 = 1 << 30;
const MAX_PASSES: u32 = 50;
const MAX_LANES: u32 = 64;
const MAX_BCRYPT_COST: u32 = 17;

/// Where Django's `make_password(None)` begins: nothing ever fits.
const UNUSABLE_PREFIX: &str = "!";

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
    fn format(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
        }
    }

    /// Characters of a digest in hexadecimal.
    fn length(self) -> usize {
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
    log_n: u8,
    r: u32,
    p: u32,
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

impl<'a> StoredHash<'a> {
    /// Reads a hash in the form that Django or the authority writes.
    ///
    /// # Errors
    /// [`UnknownHash`].
    pub fn parse(encoded: &'a str) -> Result<Self, UnknownHash> {
        if encoded.is_empty() || encoded.starts_with(UNUSABLE_PREFIX) {
            return Ok(Self::Unusable);
        }
        let Some((name, rest)) = encoded.split_once('$') else {
            // Django's UnsaltedMD5PasswordHasher writes the digest alone.
            return once(OnceDigest::Md5, "", encoded).ok_or(UnknownHash::Format);
        };
        match name {
            // `$argon2id$...` begins with the separator.
            "" if rest.starts_with("argon2") => argon2(encoded),
            "argon2" => argon2(&encoded["argon2".len()..]),
            "pbkdf2_sha256" => pbkdf2_of(Digester::Sha256, rest),
            "pbkdf2_sha1" => pbkdf2_of(Digester::Sha1, rest),
            "bcrypt_sha256" => bcrypt_of(true, rest),
            "bcrypt" => bcrypt_of(false, rest),
            "scrypt" => scrypt_of(rest),
            "md5" => once_of(OnceDigest::Md5, rest),
            "sha1" => once_of(OnceDigest::Sha1, rest),
            _ => Err(UnknownHash::Format),
        }
    }

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

fn argon2(phc: &str) -> Result<StoredHash<'_>, UnknownHash> {
    let malformed = UnknownHash::Malformed("argon2");
    let parsed = PasswordHash::new(phc).map_err(|_| malformed.clone())?;
    let params = Params::try_from(&parsed).map_err(|_| malformed.clone())?;
    if parsed.hash.is_none() || parsed.salt.is_none() {
        return Err(malformed);
    }
    let costly = u64::from(params.m_cost()) * 1024 > MAX_MEMORY_BYTES
        || params.t_cost() > MAX_PASSES
        || params.p_cost() > MAX_LANES;
    if costly { Err(UnknownHash::TooCostly("argon2")) } else { Ok(StoredHash::Argon2(phc)) }
}

fn pbkdf2_of(digest: Digester, rest: &str) -> Result<StoredHash<'_>, UnknownHash> {
    let format = match digest {
        Digester::Sha256 => "pbkdf2_sha256",
        Digester::Sha1 => "pbkdf2_sha1",
    };
    let malformed = || UnknownHash::Malformed(format);
    let [iterations, salt, hash] = parts(rest).ok_or_else(malformed)?;
    let iterations: NonZeroU32 = iterations.parse().map_err(|_| malformed())?;
    let hash = decoded(hash).ok_or_else(malformed)?;
    if iterations.get() > MAX_ITERATIONS {
        return Err(UnknownHash::TooCostly(format));
    }
    Ok(StoredHash::Pbkdf2 { digest, iterations, salt, hash })
}

fn bcrypt_of(prehashed: bool, encoded: &str) -> Result<StoredHash<'_>, UnknownHash> {
    let format = if prehashed { "bcrypt_sha256" } else { "bcrypt" };
    let malformed = || UnknownHash::Malformed(format);
    let parsed: bcrypt::HashParts = encoded.parse().map_err(|_| malformed())?;
    if parsed.get_cost() > MAX_BCRYPT_COST {
        return Err(UnknownHash::TooCostly(format));
    }
    Ok(StoredHash::Bcrypt { prehashed, encoded })
}

fn scrypt_of(rest: &str) -> Result<StoredHash<'_>, UnknownHash> {
    let malformed = || UnknownHash::Malformed("scrypt");
    let [n, salt, r, p, hash] = parts(rest).ok_or_else(malformed)?;
    let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0).ok_or_else(malformed);
    let (n, r, p) = (number(n)?, number(r)?, number(p)?);
    let hash = decoded(hash).ok_or_else(malformed)?;
    if !n.is_power_of_two() || n < 2 {
        return Err(malformed());
    }
    let memory = u64::from(n).saturating_mul(u64::from(r)).saturating_mul(128);
    if memory > MAX_MEMORY_BYTES || p > MAX_LANES {
        return Err(UnknownHash::TooCostly("scrypt"));
    }
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| malformed())?;
    Ok(StoredHash::Scrypt { params: ScryptCost { log_n, r, p }, salt, hash })
}

fn once_of(digest: OnceDigest, rest: &str) -> Result<StoredHash<'_>, UnknownHash> {
    let malformed = UnknownHash::Malformed(digest.format());
    let [salt, hash] = parts(rest).ok_or(malformed.clone())?;
    once(digest, salt, hash).ok_or(malformed)
}

fn once<'a>(digest: OnceDigest, salt: &'a str, hash: &'a str) -> Option<StoredHash<'a>> {
    let is_hash =
        hash.len() == digest.length() && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hash.then_some(StoredHash::Once { digest, salt, hash })
}

/// Exactly so many parts between dollar signs; Django allows none in a salt.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|hash| (16..=64).contains(&hash.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by the hashers of Django 5.2, of `correct horse`; the last ones as Django 3.1 and 1.11 made them.
    const OF_DJANGO: &[(&str, &str)] = &[
        (
            "pbkdf2_sha256",
            "pbkdf2_sha256$1000000$hFWIcyRnAtE7XTMZDXoVVv$WNrBvwotbr20fvDrZgJcNz/aF2eLynQCT1yFVCtGvYY=",
        ),
        (
            "pbkdf2_sha256",
            "pbkdf2_sha256$12000$8E9HWzdDsPEo2dPXdATBtL$Fin9qBdEFsH0raXkZEPXMACuAwCzzXUYrjUqTG6WgUs=",
        ),
        ("pbkdf2_sha1", "pbkdf2_sha1$12000$xY72azIoCpENT5KyHhLbTh$Na8qMFMdC1veQSHKYdkLUz3PfrE="),
        (
            "argon2",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$aGtQV2NTbmN4ZzdvNmw1amFuNW1TQQ$dxEGgmd7FrYxBu4xQisVNn66edhw5PXkfjutJJlXNP0",
        ),
        (
            "argon2",
            "argon2$argon2id$v=19$m=1024,t=2,p=8$Snc4c0p2dXdJcGhEN1hCTVBZUjlKRw$dc4DBmoQoU2YC24thVbQlJm3cPr7LUnyXtHykVqZnyE",
        ),
        ("bcrypt_sha256", "bcrypt_sha256$$2b$05$qA5bs7XaGNiTl.kFWl6wmOvx.cutxRv98VSV0DJSCSxXFbfEJHSQq"),
        ("bcrypt", "bcrypt$$2b$05$xwB2EK6imEbGvdRKHh7fhOu4DaT9cnSmSjEscZbrQKYMe/nuD61Xi"),
        (
            "scrypt",
            "scrypt$16384$mpcWbmhgHvirA4dr1DzgXi$8$5$jpCJN9OXWeHnRDOqBE3jE6bkZGtErERSM1C5Z2uEqBZ+Nf+WGj65yvtgCuKDTkQf1m++ZawH5MbxOkGQAjxbOg==",
        ),
        ("md5", "md5$20pEytKC4chINKQSmoDtsE$ece31fff51e7afb07000e303cf76c9a3"),
        ("argon2", "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$bynHEyr4haxtPeI7EZzgYQ"),
        ("sha1", "sha1$salt$619a8b7fb0e2b3f5d24ab3bc0b53ce167a50f893"),
        ("sha1", "sha1$$2f9e53523b62abc141a2b4d6019d23cba835dbd0"),
        ("md5", "3cb4e732631f47e6eb961f34554b7cde"),
        ("md5", "md5$$3cb4e732631f47e6eb961f34554b7cde"),
    ];

    #[test]
    fn every_format_that_django_ships_is_verified_and_a_wrong_password_is_not() {
        for (format, encoded) in OF_DJANGO {
            let stored = StoredHash::parse(encoded).unwrap_or_else(|error| panic!("{format}: {error}"));
            assert_eq!(stored.format(), *format);
            assert!(stored.fits(b"correct horse"), "{format}");
            for wrong in [b"correct hors".as_slice(), b"correct horse ", b"Correct horse", b""] {
                assert!(!stored.fits(wrong), "{format}: {wrong:?}");
            }
        }
        let formats: std::collections::HashSet<&str> = OF_DJANGO.iter().map(|(format, _)| *format).collect();
        assert_eq!(formats.len(), 8);
    }

    #[test]
    fn an_account_without_a_password_is_one_that_no_password_fits() {
        for encoded in ["", "!", "!kY3tH0hGLdqX"] {
            assert_eq!(StoredHash::parse(encoded), Ok(StoredHash::Unusable));
        }
        assert!(!StoredHash::Unusable.fits(b""));
    }

    #[test]
    fn what_is_unknown_malformed_or_too_costly_is_named_and_never_verified() {
        let b64 = STANDARD.encode([7; 32]);
        for (encoded, expected) in [
            ("crypt$abc", UnknownHash::Format),
            ("plaintext", UnknownHash::Format),
            ("sha1$salt$c0ffee", UnknownHash::Malformed("sha1")),
            ("ECE31FFF51E7AFB07000E303CF76C9A3", UnknownHash::Format),
            ("$2b$12$abc", UnknownHash::Format),
            ("pbkdf2_sha256$0$salt$AAAA", UnknownHash::Malformed("pbkdf2_sha256")),
            ("pbkdf2_sha256$1000$salt", UnknownHash::Malformed("pbkdf2_sha256")),
            ("pbkdf2_sha1$1000$salt$!!!", UnknownHash::Malformed("pbkdf2_sha1")),
            (&format!("pbkdf2_sha256$99999999$s${b64}"), UnknownHash::TooCostly("pbkdf2_sha256")),
            ("argon2$argon2id$v=19$m=1", UnknownHash::Malformed("argon2")),
            (
                "argon2$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ",
                UnknownHash::TooCostly("argon2"),
            ),
            ("bcrypt$$2b$99$x", UnknownHash::Malformed("bcrypt")),
            (&format!("scrypt$16383$s$8$1${b64}"), UnknownHash::Malformed("scrypt")),
            (&format!("scrypt$1073741824$s$8$1${b64}"), UnknownHash::TooCostly("scrypt")),
            ("md5$salt$XYZ", UnknownHash::Malformed("md5")),
        ] {
            assert_eq!(StoredHash::parse(encoded), Err(expected), "{encoded}");
        }
    }

    #[test]
    fn hashes_of_one_scheme_cost_the_same() {
        let scheme = |encoded: &str| StoredHash::parse(encoded).unwrap().scheme();
        let b64 = STANDARD.encode([7; 32]);
        assert_eq!(scheme(&format!("pbkdf2_sha256$1000$a${b64}")), "pbkdf2_sha256:1000");
        assert_eq!(scheme(&format!("scrypt$16384$a$8$5${b64}")), "scrypt:14,8,5");
        assert_eq!(
            scheme("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OTAxMjM0NQ"),
            "argon2:m=19456,t=2,p=1"
        );
        assert_eq!(scheme("!x"), "unusable");
    }
}
