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
    /// Whether the client can be authenticated without the database.
    #[must_use]
    pub fn knows_client(&self, credentials: &ClientCredentials) -> bool {
        // An id that cannot be one needs no database to be refused.
        ClientId::parse(&credentials.unverified_id).is_none_or(|id| self.clients.knows(&id))
    }

    /// Authenticates a client (RFC 6749 section 2.3.1). One that is not in memory may have been
    /// registered a moment ago: the database is asked then.
    ///
    /// # Errors
    /// `invalid_client`, the same for an unknown id, a wrong secret and a disabled client;
    /// `Unavailable`.
    pub fn authenticate_client(&self, credentials: &ClientCredentials) -> Result<Arc<Client>> {
        let refused = |cause: String| Error::new(ErrorKind::InvalidClient, cause);
        let id = ClientId::parse(&credentials.unverified_id)
            .ok_or_else(|| refused("the client id is malformed".to_owned()))?;
        if !self.clients.knows(&id) {
            // One small read: foreign ids must not make us load everything again and again.
            self.reload_clients_if_changed(self.storage.change_counters()?)?;
        }
        let client =
            self.clients.enabled(&id).ok_or_else(|| refused("no enabled client has this id".to_owned()))?;
        if client.accepts(&credentials.secret, self.now()) {
            Ok(client)
        } else {
            Err(refused(format!("wrong secret for client {id}")))
        }
    }
}
