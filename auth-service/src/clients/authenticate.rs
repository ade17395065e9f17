use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::PlainSecret;

/// An id and a secret as they came, by whichever way.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    pub unverified_id: String,
    pub secret: PlainSecret,
}

impl ClientCredentials {
    /// Reads `Basic <base64 of id:secret>` (RFC 7617 section 2); `decode` undoes what the transport
    /// did to each half.
    #[must_use]
    pub fn from_basic(header: &str, decode: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self { unverified_id: decode(id)?, secret: PlainSecret::new(decode(secret)?) })
    }
}
