use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Client, ClientId};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};
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

impl Authority {
    /// Authenticates a client (RFC 6749 section 2.3.1), by what memory knows. A client or a secret that was registered
    /// within the last quarter of a second may not be known yet: see `Blocking::authenticate`.
    ///
    /// # Errors
    /// `invalid_client`, the same for an unknown id, a wrong secret and a disabled client.
    pub fn authenticate_client(&self, credentials: &ClientCredentials) -> Result<Arc<Client>> {
        let refused = |cause: String| Error::new(ErrorKind::InvalidClient, cause);
        let id = ClientId::parse(&credentials.unverified_id)
            .ok_or_else(|| refused("the client id is malformed".to_owned()))?;
        let client =
            self.clients.enabled(&id).ok_or_else(|| refused("no enabled client has this id".to_owned()))?;
        if client.accepts(&credentials.secret, self.now()) {
            Ok(client)
        } else {
            Err(refused(format!("wrong secret for client {id}")))
        }
    }
}
