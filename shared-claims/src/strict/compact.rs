use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Members, StrictValue, parse_object};
use crate::error::Refusal;

/// Longest `kid` that is looked up, in bytes.
const MAX_KID_BYTES: usize = 128;

/// Longest header that is looked at, decoded, in bytes: it is read before the signature is checked, and what a stranger
/// made up must cost less than that check. Those of the authority have about 100.
pub(crate) const MAX_HEADER_BYTES: usize = 1024;

/// Header parameters that refuse a token: they change what is signed (`crit`, `b64`, `zip`, `enc`),
/// say that something else is inside (`cty`), or bring their own trust (`jwk`, `jku`, `x5u`, `x5c`).
pub const FORBIDDEN: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"];

/// A well-formed token in compact serialization whose signature has not been verified yet.
pub struct UnverifiedToken<'a> {
    /// `header.payload` as sent: the octets under the signature (RFC 7515 section 5.1).
    pub signing_input: &'a str,
    /// The three segments one behind the other, decoded.
    decoded: Vec<u8>,
    header_end: usize,
    payload_end: usize,
}

/// The header parameters that verification uses.
pub struct UnverifiedHeader<'t> {
    /// The algorithm.
    pub alg: Cow<'t, str>,
    /// The type of the token.
    pub typ: Option<Cow<'t, str>>,
    /// The ID of the key.
    pub kid: Cow<'t, str>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart: three non-empty segments of canonical, unpadded base64url. Spare bits and
    /// foreign characters in any of them would be a second spelling of the same token.
    ///
    /// # Errors
    /// [`Refusal::TooLong`] before anything is decoded; [`Refusal::NotCompact`].
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, Refusal> {
        if token.len() > max_bytes {
            return Err(Refusal::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Refusal::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Refusal::NotCompact)?;
        let mut decoded = Vec::with_capacity(token.len());
        let header_end = decode(header, &mut decoded)?;
        if header_end > MAX_HEADER_BYTES {
            return Err(Refusal::TooLong);
        }
        let payload_end = decode(payload, &mut decoded)?;
        decode(signature, &mut decoded)?;
        Ok(Self { signing_input, decoded, header_end, payload_end })
    }

    /// Reads the header.
    ///
    /// # Errors
    /// [`Refusal::NotStrictJson`], [`Refusal::ForbiddenHeader`], [`Refusal::Algorithm`],
    /// [`Refusal::Type`] or [`Refusal::KeyId`] for what the name says.
    pub fn header(&self) -> Result<UnverifiedHeader<'_>, Refusal> {
        UnverifiedHeader::from_members(strict(self.decoded.get(..self.header_end))?)
    }

    /// The members of the header, of whichever kind of token: for those of other systems, at the authority. Anyone who
    /// reads one of its tokens asks [`Self::header`], which refuses what it does not know.
    ///
    /// # Errors
    /// [`Refusal::NotStrictJson`].
    pub fn unverified_header(&self) -> Result<Members<'_>, Refusal> {
        strict(self.decoded.get(..self.header_end))
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// [`Refusal::NotStrictJson`].
    pub fn unverified_claims(&self) -> Result<Members<'_>, Refusal> {
        strict(self.decoded.get(self.header_end..self.payload_end))
    }

    /// The signature, decoded.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.decoded.get(self.payload_end..).unwrap_or_default()
    }
}

impl<'t> UnverifiedHeader<'t> {
    fn from_members(mut members: Members<'t>) -> Result<Self, Refusal> {
        if let Some(name) = FORBIDDEN.into_iter().find(|name| members.contains(name)) {
            return Err(Refusal::ForbiddenHeader(name));
        }
        let Some(StrictValue::Text(alg)) = members.take("alg") else { return Err(Refusal::Algorithm) };
        let typ = match members.take("typ") {
            None => None,
            Some(StrictValue::Text(typ)) => Some(typ),
            Some(_) => return Err(Refusal::Type),
        };
        match members.take("kid") {
            Some(StrictValue::Text(kid)) if !kid.is_empty() && kid.len() <= MAX_KID_BYTES => {
                Ok(Self { alg, typ, kid })
            }
            _ => Err(Refusal::KeyId),
        }
    }

    /// Whether `typ` names this kind, with or without `application/` (RFC 7515 section 4.1.9).
    #[must_use]
    pub fn is_of_type(&self, kind: &str) -> bool {
        self.typ.as_deref().is_some_and(|typ| {
            let short = match typ.get(..12) {
                Some(prefix) if prefix.eq_ignore_ascii_case("application/") => &typ[12..],
                _ => typ,
            };
            short.eq_ignore_ascii_case(kind)
        })
    }
}

/// Appends a segment and says where it ends. A dot left over from a fourth segment fails here too.
fn decode(segment: &str, into: &mut Vec<u8>) -> Result<usize, Refusal> {
    if segment.is_empty() {
        return Err(Refusal::NotCompact);
    }
    URL_SAFE_NO_PAD.decode_vec(segment, into).map_err(|_| Refusal::NotCompact)?;
    Ok(into.len())
}

fn strict(bytes: Option<&[u8]>) -> Result<Members<'_>, Refusal> {
    bytes.and_then(parse_object).ok_or(Refusal::NotStrictJson)
}
