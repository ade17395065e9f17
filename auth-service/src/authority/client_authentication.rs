use std::sync::Arc;

use super::Authority;
use crate::clients::{Client, ClientAuthentication, ClientId};
use crate::error::{Error, OAuthFault, Result};

/// What memory says of a client that authenticates.
pub enum Authentication {
    Proved(Arc<Client>),
    /// Refused; but the client or its secret may have been registered a moment ago: after the next poll of the
    /// database it is tried once more.
    MaybeNew(Error),
}

impl Authority {
    /// Authenticates a client (RFC 6749 section 2.3), by what memory knows.
    ///
    /// # Errors
    /// `invalid_client`, the same for an unknown id, a wrong secret and a disabled client.
    pub fn authenticate_client(&self, presented: &ClientAuthentication) -> Result<Authentication> {
        let refused = |cause: String| Error::new(OAuthFault::InvalidClient, cause);
        // An id that cannot be one is no news.
        let id = ClientId::parse(presented.unverified_id())
            .ok_or_else(|| refused("the client id is malformed".to_owned()))?;
        let Some(client) = self.clients.enabled(&id) else {
            return Ok(Authentication::MaybeNew(refused("no enabled client has this id".to_owned())));
        };
        match presented {
            ClientAuthentication::Secret { secret, .. } if client.accepts(secret, self.now()) => {
                Ok(Authentication::Proved(client))
            }
            ClientAuthentication::None { .. } if client.is_public() => Ok(Authentication::Proved(client)),
            ClientAuthentication::None { .. } => {
                Ok(Authentication::MaybeNew(refused(format!("client {id} has to authenticate"))))
            }
            ClientAuthentication::Secret { .. } => {
                Ok(Authentication::MaybeNew(refused(format!("wrong secret for client {id}"))))
            }
        }
    }
}
