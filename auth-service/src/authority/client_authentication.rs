use std::sync::Arc;

use super::Authority;
use crate::clients::{Client, ClientCredentials, ClientId};
use crate::error::{Error, ErrorKind, Result};

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
