//! Tokens that are bound to their holder (RFC 7800): a thief who has only the token can do nothing with it.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use serde::{Serialize, Serializer};

use crate::error::Refusal;
use crate::strict::{Members, StrictValue};

/// SHA-256 of a public key (RFC 7638) or of a certificate in DER; as text, base64url of 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Of a certificate, in DER (RFC 8705 section 3.1).
    #[must_use]
    pub fn of_certificate(der: &[u8]) -> Self {
        let mut octets = [0; 32];
        octets.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(octets)
    }

    pub(crate) fn octets(&self) -> [u8; 32] {
        self.0
    }

    /// `None` for anything but canonical base64url of 32 octets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

/// `cnf`: what the holder of a token shows with each request (RFC 7800 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation {
    /// `jkt`: the key by which the holder signs a proof for each request (RFC 9449 section 6.1).
    Key(Thumbprint),
    /// `x5t#S256`: the client's certificate of the connection (RFC 8705 section 3.1).
    Certificate(Thumbprint),
}

/// Kinds of keys that are not known here (RFC 7800 section 3, RFC 8705): a token has one, whatever its kind.
const OTHER_KINDS: [&str; 5] = ["jwk", "jwe", "kid", "jku", "x5t"];

impl Confirmation {
    /// Reads a claim that is there. One that names no key of a kind that is known here, or several, refuses the token: what
    /// cannot be checked must not pass for unbound.
    ///
    /// # Errors
    /// [`Refusal::Claim`].
    pub fn read(claim: &StrictValue<'_>) -> Result<Self, Refusal> {
        let malformed = Refusal::Claim("cnf");
        let members = claim.as_object().ok_or(malformed)?;
        if OTHER_KINDS.iter().any(|name| members.contains(name)) {
            return Err(malformed);
        }
        let named = |name| member(members, name).map_err(|Malformed| malformed);
        match (named("jkt")?, named("x5t#S256")?) {
            (Some(key), None) => Ok(Self::Key(key)),
            (None, Some(certificate)) => Ok(Self::Certificate(certificate)),
            (None, None) | (Some(_), Some(_)) => Err(malformed),
        }
    }
}

/// As it stands in a token, and in the answer of an introspection (RFC 9449 section 6.2, RFC 8705 section 3.2).
impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, thumbprint) = match self {
            Self::Key(thumbprint) => ("jkt", thumbprint),
            Self::Certificate(thumbprint) => ("x5t#S256", thumbprint),
        };
        serializer.collect_map([(name, thumbprint.to_string())])
    }
}

struct Malformed;

fn member(members: &Members<'_>, name: &str) -> Result<Option<Thumbprint>, Malformed> {
    let Some(value) = members.get(name) else { return Ok(None) };
    value.as_str().and_then(Thumbprint::parse).map(Some).ok_or(Malformed)
}
