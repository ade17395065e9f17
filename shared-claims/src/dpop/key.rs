//! The key that a proof brings with it: nobody vouches for it but the token that names its thumbprint.

use aws_lc_rs::signature::ParsedPublicKey;

use super::ProofRefusal;
use crate::confirmation::Thumbprint;
use crate::public_keys::{PRIVATE_MEMBERS, SignatureAlgorithm, parsed_key, text, thumbprint};
use crate::strict::Members;

/// A key, and the algorithm that its proof names.
pub(super) struct ProofKey {
    key: ParsedPublicKey,
    pub(super) thumbprint: Thumbprint,
}

impl ProofKey {
    /// Reads `jwk` (RFC 7517) for one of the algorithms that proofs may have: RS256 is none of them (FAPI 2.0 section 5.4).
    pub(super) fn read(jwk: &Members<'_>, alg: &str) -> Result<Self, ProofRefusal> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains(name)) {
            return Err(ProofRefusal::PrivateKey);
        }
        let algorithm = SignatureAlgorithm::parse(alg).ok_or(ProofRefusal::Algorithm)?;
        let (kty, crv, members): (_, _, &[&str]) = match algorithm {
            SignatureAlgorithm::EdDsa => ("OKP", Some("Ed25519"), &["crv", "kty", "x"]),
            SignatureAlgorithm::Es256 => ("EC", Some("P-256"), &["crv", "kty", "x", "y"]),
            SignatureAlgorithm::Es384 => ("EC", Some("P-384"), &["crv", "kty", "x", "y"]),
            SignatureAlgorithm::Ps256 => ("RSA", None, &["e", "kty", "n"]),
            SignatureAlgorithm::Rs256 => return Err(ProofRefusal::Algorithm),
        };
        if text(jwk, "kty") != Some(kty) || text(jwk, "crv") != crv {
            return Err(ProofRefusal::Key);
        }
        let key = parsed_key(jwk, algorithm).map_err(|_| ProofRefusal::Key)?;
        let required: Vec<String> = members
            .iter()
            // Each is one of the words above, or base64url that was decoded: there is nothing to escape.
            .map(|name| format!("\"{name}\":\"{}\"", text(jwk, name).unwrap_or_default()))
            .collect();
        let named = thumbprint(&format!("{{{}}}", required.join(",")));
        let thumbprint = Thumbprint::parse(&named).ok_or(ProofRefusal::Key)?;
        Ok(Self { key, thumbprint })
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ProofRefusal> {
        self.key.verify_sig(message, signature).map_err(|_| ProofRefusal::Signature)
    }
}
