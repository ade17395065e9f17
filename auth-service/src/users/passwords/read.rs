//! Reads hashes as Django and the authority write them, within bounds.

use std::num::NonZeroU32;

use argon2::Params;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::stored::{Digester, OnceDigest, ScryptCost, StoredHash, UnknownHash};

/// Bounds of what a login may cost: beyond them a hash was made by mistake, or to stop the service.
const MAX_ITERATIONS: u32 = 10_000_000;
const MAX_MEMORY_BYTES: u64 = 1 << 30;
const MAX_PASSES: u32 = 50;
const MAX_LANES: u32 = 64;
const MAX_BCRYPT_COST: u32 = 17;

/// Where Django's `make_password(None)` begins: nothing ever fits.
const UNUSABLE_PREFIX: &str = "!";

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
