//! What the authority has taken back before it expired, held in memory by every verifier.
//!
//! The authority publishes it as a signed document (`GET /revocations`, `typ: revocations+jwt`),
//! complete each time: constant work, no gap to repair. An entry lives only as long as a token that
//! it hits could, so the document stays small. A revoked key is not in it: it leaves the key set,
//! whose name the document carries.

use std::collections::{HashMap, HashSet};

use crate::claims::AccessClaims;
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::strict::{Members, StrictValue, UnverifiedToken};

/// `typ` of the signed document.
pub const DOCUMENT_TYPE: &str = "revocations+jwt";

/// Largest document that is read, in bytes: about 37,000 live entries.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Longest time that a replica of the authority may be behind another.
const REPLICA_LAG_SECONDS: u64 = 10;

/// The live revocations, by what they hit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Grows with every revocation.
    seq: i64,
    /// When the authority signed it, in seconds since the epoch.
    issued_at: u64,
    /// Names the key set that was current then (its ETag), so that a verifier knows when to fetch it.
    pub key_set: String,
    sessions: HashSet<String>,
    tokens: HashSet<String>,
    /// Tokens of this client issued up to this second are refused.
    clients: HashMap<String, u64>,
}

impl Revocations {
    /// Verifies and reads the document.
    ///
    /// # Errors
    /// [`Refusal`] as for a token: size, form, signature, `typ`, issuer, or a malformed entry.
    pub fn from_document(document: &str, issuer: &str, keys: &KeySet) -> Result<Self, Refusal> {
        let token = UnverifiedToken::parse(document, MAX_DOCUMENT_BYTES)?;
        let header = token.header()?;
        if !header.is_of_type(DOCUMENT_TYPE) {
            return Err(Refusal::Type);
        }
        keys.check_signature(&header, &token)?;
        let claims = token.unverified_claims()?;
        if text(&claims, "iss")? != issuer {
            return Err(Refusal::Issuer);
        }
        let mut revocations = Self {
            seq: claims.get("seq").and_then(StrictValue::as_i64).ok_or(Refusal::Claim("seq"))?,
            issued_at: claims.get("iat").and_then(StrictValue::as_u64).ok_or(Refusal::Claim("iat"))?,
            key_set: text(&claims, "key_set")?.to_owned(),
            ..Self::default()
        };
        let entries =
            claims.get("revocations").and_then(StrictValue::as_array).ok_or(Refusal::Claim("revocations"))?;
        for entry in entries {
            revocations.insert(entry.as_object().ok_or(Refusal::Claim("revocations"))?)?;
        }
        Ok(revocations)
    }

    fn insert(&mut self, entry: &Members<'_>) -> Result<(), Refusal> {
        let id = text(entry, "id")?.to_owned();
        match text(entry, "kind")? {
            "session" => drop(self.sessions.insert(id)),
            "token" => drop(self.tokens.insert(id)),
            "client" => {
                let not_before = entry
                    .get("not_before")
                    .and_then(StrictValue::as_u64)
                    .ok_or(Refusal::Claim("not_before"))?;
                self.clients.insert(id, not_before);
            }
            // A later authority may know more kinds; the ones known here must go on working.
            _ => {}
        }
        Ok(())
    }

    /// Whether a verified token was taken back. Asked by claims, never by the token's text: a token
    /// may have a second spelling (RFC 7515 signatures are malleable under ECDSA).
    #[must_use]
    pub fn hit(&self, claims: &AccessClaims) -> bool {
        self.tokens.contains(&claims.jti)
            || claims.sid.as_ref().is_some_and(|sid| self.sessions.contains(sid))
            || self.clients.get(&claims.client_id).is_some_and(|not_before| claims.iat <= *not_before)
    }

    /// Whether this document may take the place of `held`. One with fewer revocations comes from a
    /// replica that is a moment behind, and would let a revoked token through again; when it is newer
    /// by more than such a moment, the authority's database was restored, and it is the truth.
    #[must_use]
    pub fn supersedes(&self, held: &Self) -> bool {
        self.seq >= held.seq || self.issued_at > held.issued_at + REPLICA_LAG_SECONDS
    }

    /// Number of live entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len() + self.tokens.len() + self.clients.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn text<'a>(members: &'a Members<'_>, name: &'static str) -> Result<&'a str, Refusal> {
    members.get(name).and_then(StrictValue::as_str).ok_or(Refusal::Claim(name))
}
