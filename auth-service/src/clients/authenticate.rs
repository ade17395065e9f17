use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::secret::PlainSecret;

/// How a client authenticates in a request (RFC 6749 section 2.3), as it came and unproved.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// `client_secret_basic` and `client_secret_post`.
    Secret { unverified_id: String, secret: PlainSecret },
    /// `none`: a public client, which only says who it is.
    None { unverified_id: String },
}

impl ClientAuthentication {
    /// Whom the request is from, as it says.
    #[must_use]
    pub fn unverified_id(&self) -> &str {
        match self {
            Self::Secret { unverified_id, .. } | Self::None { unverified_id } => unverified_id,
        }
    }

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
        Some(Self::Secret { unverified_id: decode(id)?, secret: PlainSecret::new(decode(secret)?) })
    }
}
