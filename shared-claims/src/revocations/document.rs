//! The signed document that the authority publishes at `GET /revocations` (`typ: revocations+jwt`), for verifiers
//! without gRPC: what follows a position, a page at a time; without a position all of it, as far as it fits.

use super::{Position, RevocationEntry, Target};
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
pub struct RevocationDocument<'t> {
    /// How far the document goes.
    pub position: Position,
    /// How far the keys had come when it was signed, in the same history.
    pub keys_position: Position,
    /// When the authority signed it, in seconds since the epoch.
    pub issued_at: u64,
    /// Names the key set that was current then (its ETag), so that a verifier knows when to fetch it.
    pub key_set: String,
    /// The number behind which its entries begin; `None` of an authority that always sends all of them.
    pub after: Option<u64>,
    /// Whether there are more entries behind it.
    pub more: bool,
    claims: Members<'t>,
}

impl<'t> RevocationDocument<'t> {
    /// Takes a document apart; [`Self::read`] comes next.
    ///
    /// # Errors
    /// [`Refusal::TooLong`], [`Refusal::NotCompact`].
    pub fn parse(document: &str) -> Result<UnverifiedToken<'_>, Refusal> {
        UnverifiedToken::parse(document, MAX_DOCUMENT_BYTES)
    }

    /// Verifies a document of an issuer.
    ///
    /// # Errors
    /// [`Refusal`] as for a token: size, form, signature, `typ`, issuer, or a malformed claim.
    pub fn read(unverified: &'t UnverifiedToken<'_>, issuer: &str, keys: &KeySet) -> Result<Self, Refusal> {
        let header = unverified.header()?;
        if !header.is_of_type(DOCUMENT_TYPE) {
            return Err(Refusal::Type);
        }
        keys.check_signature(&header, unverified)?;
        let claims = unverified.unverified_claims()?;
        if text(&claims, "iss")? != issuer {
            return Err(Refusal::Issuer);
        }
        let epoch = number(&claims, "epoch")?;
        Ok(Self {
            position: Position { epoch, seq: number(&claims, "seq")? },
            keys_position: Position { epoch, seq: number(&claims, "keys")? },
            issued_at: number(&claims, "iat")?,
            key_set: text(&claims, "key_set")?.to_owned(),
            after: if claims.contains("after") { Some(number(&claims, "after")?) } else { None },
            more: matches!(claims.get("more"), Some(StrictValue::Bool(true))),
            claims,
        })
    }

    /// Its entries, without those of a kind that is not known here.
    ///
    /// # Errors
    /// [`Refusal::Claim`] for a malformed one.
    pub fn entries(&self) -> Result<Vec<RevocationEntry<'_>>, Refusal> {
        let items = self.claims.get("revocations").and_then(StrictValue::as_array);
        let entries = items.ok_or(Refusal::Claim("revocations"))?.iter().map(entry);
        entries.filter_map(Result::transpose).collect()
    }
}

/// `None` for a kind that a later authority may know: the others must go on working.
fn entry<'a>(item: &'a StrictValue<'_>) -> Result<Option<RevocationEntry<'a>>, Refusal> {
    let members = item.as_object().ok_or(Refusal::Claim("revocations"))?;
    let id = text(members, "id")?;
    let target = match text(members, "kind")? {
        "session" => Target::Session(id),
        "token" => Target::Token(id),
        "subject" => Target::Subject { sub: id, not_before: number(members, "not_before")? },
        "client" => Target::Client { client_id: id, not_before: number(members, "not_before")? },
        _ => return Ok(None),
    };
    Ok(Some(RevocationEntry { target, expires_at: number(members, "exp")? }))
}

pub(super) fn text<'a>(members: &'a Members<'_>, name: &'static str) -> Result<&'a str, Refusal> {
    members.get(name).and_then(StrictValue::as_str).ok_or(Refusal::Claim(name))
}

pub(super) fn number(members: &Members<'_>, name: &'static str) -> Result<u64, Refusal> {
    members.get(name).and_then(StrictValue::as_u64).ok_or(Refusal::Claim(name))
}
