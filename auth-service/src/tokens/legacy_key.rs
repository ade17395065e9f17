//! The key of the previous issuer, in every form in which simplejwt takes it. It is tested at the start: a key that does
//! not fit would refuse every session, one by one, on the day of the move.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use shared_claims::strict::UnverifiedToken;

/// Shortest secret of a MAC, in bytes: Django's own has 50 characters.
const MIN_SECRET_BYTES: usize = 32;

/// Shortest RSA key, in DER, in bytes: one of 2048 bits as RSAPublicKey (RFC 8017 appendix A.1.1) has 270.
const MIN_RSA_BYTES: usize = 265;

/// The algorithms of simplejwt that can be read here; the converter of its settings knows the same.
pub const ALGORITHMS: [&str; 8] = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384"];

pub(super) enum VerifyingKey {
    Mac(Box<hmac::Key>),
    Public(Box<ParsedPublicKey>),
}

impl VerifyingKey {
    /// # Errors
    /// One line: what is wrong with the key, and what to do.
    pub(super) fn new(algorithm: &str, key: &[u8]) -> Result<Self, String> {
        match algorithm {
            "HS256" => mac(hmac::HMAC_SHA256, key),
            "HS384" => mac(hmac::HMAC_SHA384, key),
            "HS512" => mac(hmac::HMAC_SHA512, key),
            "RS256" => public(&signature::RSA_PKCS1_2048_8192_SHA256, algorithm, key),
            "RS384" => public(&signature::RSA_PKCS1_2048_8192_SHA384, algorithm, key),
            "RS512" => public(&signature::RSA_PKCS1_2048_8192_SHA512, algorithm, key),
            "ES256" => public(&signature::ECDSA_P256_SHA256_FIXED, algorithm, key),
            "ES384" => public(&signature::ECDSA_P384_SHA384_FIXED, algorithm, key),
            other => Err(format!("unsupported algorithm {other}: expected one of {}", ALGORITHMS.join(", "))),
        }
    }

    /// In constant time, where it is a secret.
    pub(super) fn holds(&self, token: &UnverifiedToken<'_>) -> bool {
        let (signed, signature) = (token.signing_input.as_bytes(), token.signature());
        match self {
            Self::Mac(key) => hmac::verify(key, signed, signature).is_ok(),
            Self::Public(key) => key.verify_sig(signed, signature).is_ok(),
        }
    }
}

fn mac(digest: hmac::Algorithm, key: &[u8]) -> Result<VerifyingKey, String> {
    let key = key.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(key);
    // One line break at the end is an editor's, not the secret's, of whichever system.
    let secret = key.strip_suffix(b"\n").map_or(key, |key| key.strip_suffix(b"\r").unwrap_or(key));
    if secret.starts_with(b"-----BEGIN") {
        return Err("it is a key in PEM, and the algorithm takes a secret: is it RS256 or ES256?".to_owned());
    }
    if secret.len() < MIN_SECRET_BYTES {
        return Err(format!("the secret has fewer than {MIN_SECRET_BYTES} bytes: it could be guessed"));
    }
    Ok(VerifyingKey::Mac(Box::new(hmac::Key::new(digest, secret))))
}

fn public(
    verification: &'static dyn VerificationAlgorithm,
    algorithm: &str,
    key: &[u8],
) -> Result<VerifyingKey, String> {
    let der = public_der(key)?;
    if algorithm.starts_with("RS") && der.len() < MIN_RSA_BYTES {
        return Err(format!("no RSA key of 2048 bits or more, which {algorithm} needs"));
    }
    let parsed = ParsedPublicKey::new(verification, &der)
        .map_err(|_| format!("the key does not fit {algorithm}: is it of another kind or curve?"))?;
    Ok(VerifyingKey::Public(Box::new(parsed)))
}

/// The key in DER, of PEM however it was pasted (on one line, indented, with `\n` for line breaks), or of `ssh-rsa`.
fn public_der(key: &[u8]) -> Result<Vec<u8>, String> {
    let text =
        str::from_utf8(key).map_err(|_| "it is not text: a public key in PEM is expected".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Some(rest) = text.strip_prefix("ssh-rsa ") {
        let encoded = rest.split_whitespace().next().unwrap_or_default();
        let blob = STANDARD.decode(encoded).ok();
        return blob.as_deref().and_then(of_ssh).ok_or_else(|| "the ssh-rsa key is malformed".to_owned());
    }
    let text = text.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(|| {
        "it holds no public key in PEM (BEGIN PUBLIC KEY): `openssl pkey -pubin -in FILE` converts it"
            .to_owned()
    })?;
    let (label, rest) = rest.split_once("-----").ok_or("the PEM is malformed")?;
    if label.contains("PRIVATE") {
        let advice = "`openssl pkey -in FILE -pubout` writes the public key, which is enough here";
        return Err(format!("it is a private key: {advice}"));
    }
    if label.contains("CERTIFICATE") {
        let advice = "`openssl x509 -in FILE -noout -pubkey` writes the public key";
        return Err(format!("it is a certificate: {advice}"));
    }
    let (body, _) = rest.split_once("-----END ").ok_or("the PEM has no end: was it cut short?")?;
    let body: String = body.chars().filter(|character| !character.is_whitespace()).collect();
    STANDARD.decode(body).map_err(|_| "the PEM is malformed: its body is no base64".to_owned())
}

/// RSAPublicKey in DER of an SSH public key (RFC 4253 section 6.6).
fn of_ssh(blob: &[u8]) -> Option<Vec<u8>> {
    fn field<'a>(blob: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (length, rest) = blob.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        *blob = rest;
        Some(field)
    }
    let mut rest = blob;
    if field(&mut rest)? != b"ssh-rsa" {
        return None;
    }
    // Both are integers as DER has them: big-endian, with a zero before a leading one.
    let (exponent, modulus) = (field(&mut rest)?, field(&mut rest)?);
    Some(der(0x30, &[der(0x02, modulus), der(0x02, exponent)].concat()))
}

/// One element (X.690 section 8.1), shorter than 64 KiB.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut element = vec![tag];
    match (content.len(), length) {
        (..0x80, [_, low]) => element.push(low),
        (..0x100, [_, low]) => element.extend([0x81, low]),
        (_, [high, low]) => element.extend([0x82, high, low]),
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests;
