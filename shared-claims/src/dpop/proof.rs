use super::ProofRefusal;
use super::key::ProofKey;
use crate::confirmation::Thumbprint;
use crate::strict::{Members, StrictValue, UnverifiedToken, WrongType};

/// Largest proof that is read, in bytes: one with an RSA key of 4096 bits has about 2 KiB.
const MAX_PROOF_BYTES: usize = 4 * 1024;

/// Longest ID of a proof, in bytes.
const MAX_JTI_BYTES: usize = 256;

/// Header parameters that refuse a proof: they change what is signed, or bring another key.
const FORBIDDEN: [&str; 8] = ["crit", "b64", "zip", "enc", "cty", "jku", "x5u", "x5c"];

/// A proof whose signature holds (RFC 9449 section 4.2). What it is for has not been looked at yet.
pub(super) struct Proof {
    pub(super) key: Thumbprint,
    pub(super) htm: String,
    pub(super) htu: String,
    pub(super) jti: String,
    /// In seconds since the epoch, as are the others.
    pub(super) iat: u64,
    pub(super) nbf: Option<u64>,
    pub(super) exp: Option<u64>,
    /// Hash of the access token.
    pub(super) ath: Option<String>,
    pub(super) nonce: Option<String>,
}

impl Proof {
    pub(super) fn read(unverified: &str) -> Result<Self, ProofRefusal> {
        let token =
            UnverifiedToken::parse(unverified, MAX_PROOF_BYTES).map_err(|_| ProofRefusal::Malformed)?;
        let header = token.unverified_header().map_err(|_| ProofRefusal::Malformed)?;
        if FORBIDDEN.iter().any(|name| header.contains(name)) {
            return Err(ProofRefusal::Malformed);
        }
        if header.get("typ").and_then(StrictValue::as_str) != Some("dpop+jwt") {
            return Err(ProofRefusal::Type);
        }
        let alg = header.get("alg").and_then(StrictValue::as_str).ok_or(ProofRefusal::Algorithm)?;
        let jwk = header.get("jwk").and_then(StrictValue::as_object).ok_or(ProofRefusal::Key)?;
        let key = ProofKey::read(jwk, alg)?;
        key.verify(token.signing_input.as_bytes(), token.signature())?;
        let claims = token.unverified_claims().map_err(|_| ProofRefusal::Malformed)?;
        let jti = required(&claims, "jti")?;
        if jti.len() > MAX_JTI_BYTES {
            return Err(ProofRefusal::Claim("jti"));
        }
        Ok(Self {
            key: key.thumbprint,
            htm: required(&claims, "htm")?,
            htu: required(&claims, "htu")?,
            jti,
            iat: date(&claims, "iat")?.ok_or(ProofRefusal::Claim("iat"))?,
            nbf: date(&claims, "nbf")?,
            exp: date(&claims, "exp")?,
            ath: optional(&claims, "ath")?,
            nonce: optional(&claims, "nonce")?,
        })
    }
}

fn required(claims: &Members<'_>, name: &'static str) -> Result<String, ProofRefusal> {
    optional(claims, name)?.ok_or(ProofRefusal::Claim(name))
}

fn optional(claims: &Members<'_>, name: &'static str) -> Result<Option<String>, ProofRefusal> {
    let text = claims.text(name).map_err(|WrongType| ProofRefusal::Claim(name))?;
    Ok(text.map(str::to_owned))
}

fn date(claims: &Members<'_>, name: &'static str) -> Result<Option<u64>, ProofRefusal> {
    claims.numeric_date(name).map_err(|WrongType| ProofRefusal::Claim(name))
}
