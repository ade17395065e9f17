//! The signed document that the authority publishes at `GET /revocations` (`typ: revocations+jwt`), complete
//! each time. For verifiers without gRPC: constant work, no gap to repair.

use super::{Entry, Position, RevocationsWriter, Target};
use crate::error::Refusal;
use crate::public_keys::KeySet;
use crate::strict::{Members, StrictValue, UnverifiedToken};

/// `typ` of the signed document.
pub const DOCUMENT_TYPE: &str = "revocations+jwt";

/// Largest document that is read, in bytes: about 37,000 live entries.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Longest time that a replica of the authority may be behind another.
pub const REPLICA_LAG_SECONDS: u64 = 10;

/// A document whose signature holds.
#[derive(Debug)]
pub struct RevocationDocument {
    pub position: Position,
    /// How far the keys had come when it was signed, in the same history.
    pub keys_position: Position,
    /// When the authority signed it, in seconds since the epoch.
    pub issued_at: u64,
    /// Names the key set that was current then (its ETag), so that a verifier knows when to fetch it.
    pub key_set: String,
    pub revocations: RevocationsWriter,
}

impl RevocationDocument {
    /// Verifies the document and reads its entries into `empty`.
    ///
    /// # Errors
    /// [`Refusal`] as for a token: size, form, signature, `typ`, issuer, or a malformed entry.
    pub fn read(
        document: &str,
        (issuer, keys): (&str, &KeySet),
        empty: RevocationsWriter,
        now: u64,
    ) -> Result<Self, Refusal> {
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
        let items =
            claims.get("revocations").and_then(StrictValue::as_array).ok_or(Refusal::Claim("revocations"))?;
        let entries: Vec<Option<Entry<'_>>> = items.iter().map(entry).collect::<Result<_, _>>()?;
        let mut revocations = empty;
        revocations.apply(entries.into_iter().flatten(), now);
        let epoch = number(&claims, "epoch")?;
        Ok(Self {
            position: Position { epoch, seq: number(&claims, "seq")? },
            keys_position: Position { epoch, seq: number(&claims, "keys")? },
            issued_at: number(&claims, "iat")?,
            key_set: text(&claims, "key_set")?.to_owned(),
            revocations,
        })
    }

    /// Whether this document may take the place of one at `held` (revocations and keys) that was signed at
    /// `issued_at`. One that has come less far is from a replica that is a moment behind, and would let a
    /// revoked token through again; when it is newer by more than such a moment, the authority's database was restored, and it is
    /// the truth. An earlier epoch is never taken.
    #[must_use]
    pub fn supersedes(&self, held: (Position, Position), issued_at: u64) -> bool {
        let later = self.issued_at > issued_at + REPLICA_LAG_SECONDS;
        let further = self.position >= held.0 && self.keys_position >= held.1;
        further || (self.position.epoch == held.0.epoch && later)
    }
}

/// `None` for a kind that a later authority may know: the others must go on working.
fn entry<'a>(item: &'a StrictValue<'_>) -> Result<Option<Entry<'a>>, Refusal> {
    let members = item.as_object().ok_or(Refusal::Claim("revocations"))?;
    let id = text(members, "id")?;
    let target = match text(members, "kind")? {
        "session" => Target::Session(id),
        "token" => Target::Token(id),
        "subject" => Target::Subject { sub: id, not_before: number(members, "not_before")? },
        "client" => Target::Client { client_id: id, not_before: number(members, "not_before")? },
        _ => return Ok(None),
    };
    Ok(Some(Entry { target, expires_at: number(members, "exp")? }))
}

fn text<'a>(members: &'a Members<'_>, name: &'static str) -> Result<&'a str, Refusal> {
    members.get(name).and_then(StrictValue::as_str).ok_or(Refusal::Claim(name))
}

fn number(members: &Members<'_>, name: &'static str) -> Result<u64, Refusal> {
    members.get(name).and_then(StrictValue::as_u64).ok_or(Refusal::Claim(name))
}
