use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::parse_object;
use crate::error::Refusal;

/// Longest `kid` that is looked up, in bytes.
const MAX_KID_BYTES: usize = 128;

/// Header parameters that refuse a token: they change what is signed (`crit`, `b64`, `zip`, `enc`),
/// say that something else is inside (`cty`), or bring their own trust (`jwk`, `jku`, `x5u`, `x5c`).
const FORBIDDEN: [&str; 9] = ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"];

/// A token in compact serialisation whose form is right and whose signature nobody has checked yet.
pub struct UnverifiedToken<'a> {
    pub header: UnverifiedHeader,
    pub unverified_claims: Map<String, Value>,
    /// `header.payload` as sent: the octets under the signature (RFC 7515 section 5.1).
    pub signing_input: &'a str,
    /// The third segment, canonical base64url.
    pub signature: &'a str,
}

/// The header parameters that verification uses.
pub struct UnverifiedHeader {
    pub alg: String,
    pub typ: Option<String>,
    pub kid: String,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Refusal::TooLong`] before anything is decoded; [`Refusal::NotCompact`],
    /// [`Refusal::NotStrictJson`], [`Refusal::ForbiddenHeader`], [`Refusal::Algorithm`],
    /// [`Refusal::Type`] or [`Refusal::KeyId`] for what the name says.
    pub fn parse(token: &'a str, max_bytes: usize) -> Result<Self, Refusal> {
        if token.len() > max_bytes {
            return Err(Refusal::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Refusal::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(Refusal::NotCompact)?;
        // Spare bits and foreign characters in any segment: a second spelling of the same token.
        decode(signature)?;
        let header = parse_object(&decode(header)?).ok_or(Refusal::NotStrictJson)?;
        let unverified_claims = parse_object(&decode(payload)?).ok_or(Refusal::NotStrictJson)?;
        Ok(Self {
            header: UnverifiedHeader::from_members(&header)?,
            unverified_claims,
            signing_input,
            signature,
        })
    }
}

impl UnverifiedHeader {
    fn from_members(members: &Map<String, Value>) -> Result<Self, Refusal> {
        if let Some(name) = FORBIDDEN.into_iter().find(|name| members.contains_key(*name)) {
            return Err(Refusal::ForbiddenHeader(name));
        }
        let alg = members.get("alg").and_then(Value::as_str).ok_or(Refusal::Algorithm)?;
        let typ = match members.get("typ") {
            None => None,
            Some(Value::String(typ)) => Some(typ.clone()),
            Some(_) => return Err(Refusal::Type),
        };
        let kid = members.get("kid").and_then(Value::as_str).ok_or(Refusal::KeyId)?;
        if kid.is_empty() || kid.len() > MAX_KID_BYTES {
            return Err(Refusal::KeyId);
        }
        Ok(Self { alg: alg.to_owned(), typ, kid: kid.to_owned() })
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

/// Non-empty, canonical, unpadded base64url. A dot left over from a fourth segment fails here too.
fn decode(segment: &str) -> Result<Vec<u8>, Refusal> {
    if segment.is_empty() {
        return Err(Refusal::NotCompact);
    }
    URL_SAFE_NO_PAD.decode(segment).map_err(|_| Refusal::NotCompact)
}
