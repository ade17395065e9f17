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
    /// did to each half. An empty secret is none: public clients of some libraries authenticate so.
    #[must_use]
    pub fn from_basic(header: &str, decode: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (scheme, encoded) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        let unverified_id = decode(id)?;
        if secret.is_empty() {
            return Some(Self::None { unverified_id });
        }
        Some(Self::Secret { unverified_id, secret: PlainSecret::new(decode(secret)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_none() {
        let read = |pair: &str| {
            let header = format!("Basic {}", STANDARD.encode(pair));
            ClientAuthentication::from_basic(&header, |half| Some(half.to_owned()))
        };
        let is_none = |found| matches!(found, Some(ClientAuthentication::None { unverified_id }) if unverified_id == "app");
        assert!(is_none(read("app:")));
        assert!(!is_none(read("app: ")) && read("app").is_none());
    }
}
