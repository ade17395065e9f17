use std::sync::Arc;

use shared_claims::replay::Seen;

use super::Authority;
use crate::clients::{
    AssertionClaims, AssertionFault, Client, ClientAuthentication, ClientId, ClientKeys, Credentials,
    KeyLocation, KeySource, UnverifiedAssertion, Workload,
};
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::remote_keys::Lookup;

/// What memory says of a client that authenticates.
pub enum Authentication {
    Proved(Arc<Client>),
    /// Refused; but the client or its secret may have been registered a moment ago: after the next poll of the
    /// database it is tried once more.
    MaybeNew(Error),
    /// The keys that are published there are to be fetched first.
    NeedsKeys(KeyLocation),
}

impl Authority {
    /// Authenticates a client (RFC 6749 section 2.3), by what memory knows.
    ///
    /// # Errors
    /// `invalid_client`, the same for an unknown id, a wrong secret and a disabled client; `Unavailable` where the client publishes
    /// its keys and they could not be fetched.
    pub fn authenticate_client(&self, presented: &ClientAuthentication) -> Result<Authentication> {
        // An id that cannot be one is no news.
        let id = ClientId::parse(presented.unverified_id())
            .ok_or_else(|| refused("the client id is malformed".to_owned()))?;
        let Some(client) = self.clients.enabled(&id) else {
            return Ok(Authentication::MaybeNew(refused("no enabled client has this id".to_owned())));
        };
        let maybe_new = |cause: String| Ok(Authentication::MaybeNew(refused(cause)));
        match (presented, &client.credentials) {
            (ClientAuthentication::Secret { secret, .. }, credentials)
                if credentials.accept_secret(secret, self.now()) =>
            {
                Ok(Authentication::Proved(client))
            }
            // What a public client's connection has beside it proves nothing more.
            (
                ClientAuthentication::None { .. } | ClientAuthentication::Certificate { .. },
                Credentials::Public,
            ) => Ok(Authentication::Proved(client)),
            (ClientAuthentication::Certificate { certificate, .. }, Credentials::Certificate(registered)) => {
                match registered.check(certificate, self.now()) {
                    Ok(()) => Ok(Authentication::Proved(client)),
                    Err(fault) => maybe_new(format!("client {id}: {fault}")),
                }
            }
            (ClientAuthentication::Assertion { assertion, .. }, Credentials::PrivateKeyJwt(keys)) => {
                self.authenticate_by_key(&client, keys, assertion.expose())
            }
            (ClientAuthentication::Assertion { assertion, .. }, Credentials::Workload(workload)) => {
                self.authenticate_workload(&client, workload, assertion.expose())
            }
            (ClientAuthentication::None { .. }, _) => maybe_new(format!("client {id} has to authenticate")),
            (ClientAuthentication::Secret { .. }, Credentials::Secret { .. }) => {
                maybe_new(format!("wrong secret for client {id}"))
            }
            (
                ClientAuthentication::Secret { .. }
                | ClientAuthentication::Certificate { .. }
                | ClientAuthentication::Assertion { .. },
                credentials,
            ) => maybe_new(format!("client {id} is registered for the method {}", credentials.method())),
        }
    }

    /// By an assertion of its own, once.
    fn authenticate_by_key(
        &self,
        client: &Arc<Client>,
        keys: &ClientKeys,
        assertion: &str,
    ) -> Result<Authentication> {
        let fault = |fault| refused_to(client, &fault);
        self.authenticate_by_assertion(client, keys.source(), assertion, |claims| {
            let (id, now) = (client.id.as_str(), self.now().seconds());
            let once = claims.check_self_issued(id, &self.issuer.url, now).map_err(fault)?;
            match self.proofs.used_assertions.note(id.as_bytes(), once.jti, once.until, now) {
                Seen::First => Ok(()),
                Seen::Again => Err(fault(AssertionFault::Replayed)),
                Seen::Full => Err(Error::new(ErrorKind::Overloaded, AssertionFault::TooMany.to_string())),
            }
        })
    }

    /// By the token that its platform gave it.
    fn authenticate_workload(
        &self,
        client: &Arc<Client>,
        workload: &Workload,
        assertion: &str,
    ) -> Result<Authentication> {
        let Some(trusted) = self.clients.trusted_issuer(&workload.issuer) else {
            let cause = format!("client {}: its issuer {} is not trusted", client.id, workload.issuer);
            return Ok(Authentication::MaybeNew(refused(cause)));
        };
        self.authenticate_by_assertion(client, trusted.key_source(), assertion, |claims| {
            let audience = trusted.audience.as_deref().unwrap_or(&self.issuer.url);
            let checked = claims.check_workload(workload, audience, self.now().seconds());
            checked.map_err(|fault| refused_to(client, &fault))
        })
    }

    /// Whose keys verify it is said by the registration, never by the assertion.
    fn authenticate_by_assertion(
        &self,
        client: &Arc<Client>,
        source: KeySource,
        assertion: &str,
        check: impl FnOnce(&AssertionClaims<'_>) -> Result<()>,
    ) -> Result<Authentication> {
        let assertion = UnverifiedAssertion::parse(assertion).map_err(|fault| refused_to(client, &fault))?;
        let keys = match source {
            KeySource::Stored(keys) => keys,
            KeySource::Published(location) => {
                match self.proofs.remote_keys.look_up(&location, assertion.kid(), self.now()) {
                    Lookup::Keys(keys) => keys,
                    Lookup::Fetch => return Ok(Authentication::NeedsKeys(location)),
                    Lookup::Missing => {
                        let cause = format!("the keys at {location} could not be fetched");
                        return Err(Error::new(ErrorKind::Unavailable, cause));
                    }
                }
            }
        };
        match assertion.verify(&keys) {
            Ok(claims) => check(&claims).map(|()| Authentication::Proved(Arc::clone(client))),
            Err(fault) => unverified(client, &fault),
        }
    }
}

/// Another key may have been registered a moment ago; anything else stays wrong.
fn unverified(client: &Client, fault: &AssertionFault) -> Result<Authentication> {
    let refused = refused_to(client, fault);
    let by_key = matches!(fault, AssertionFault::UnknownKey | AssertionFault::Signature(_));
    if by_key { Ok(Authentication::MaybeNew(refused)) } else { Err(refused) }
}

fn refused_to(client: &Client, fault: &AssertionFault) -> Error {
    refused(format!("client {}: {fault}", client.id))
}

fn refused(cause: String) -> Error {
    Error::new(OAuthFault::InvalidClient, cause)
}
