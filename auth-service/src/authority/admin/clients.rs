use std::time::Duration;

use super::{invalid, not_found, taken, unless_taken};
use crate::authority::Authority;
use crate::clients::{
    Client, ClientId, ClientKeys, ClientLogin, ClientMethod, Credentials, GrantType, NewClient, Pkce,
    issues_id_tokens,
};
use crate::error::{AdminFault, Error, Result};
use crate::secret::{HashedSecret, PlainSecret};

impl Authority {
    /// Registers a client. Returns its secret, which is shown once; none of one that proves itself by other means, or not at all.
    ///
    /// # Errors
    /// `Admin(Invalid)` for what does not go together; `Admin(Taken)`, also for the name of the client behind simplejwt's endpoints; `Admin(NotFound)` for an audience
    /// that is not registered; `Unavailable`.
    pub fn create_client(&self, new: &NewClient) -> Result<Option<PlainSecret>> {
        let is_public = matches!(new.method, ClientMethod::None);
        check_login(&new.login, &new.grants, is_public)?;
        self.check_method(&new.method)?;
        self.check_registered(new.audiences.iter().chain(&new.introspects))?;
        if new.id == self.simplejwt.first_party.id {
            return Err(taken(format!(
                "{} is the name of the client behind the simplejwt endpoints",
                new.id
            )));
        }
        if issues_id_tokens(&new.scope, &new.grants) {
            self.prepare_keys_for(new.login.id_token_algorithm)?;
        }
        let has_secret = matches!(new.method, ClientMethod::Secret);
        let secret = has_secret.then(PlainSecret::generate).transpose()?;
        let hashed = secret.as_ref().map(HashedSecret::of);
        let created = self.storage.create_client(new, hashed.as_ref(), self.now());
        created.map_err(|error| unless_taken(error, || format!("client {} already exists", new.id)))?;
        Ok(secret)
    }

    /// Gives a client a new secret, which is shown once; the old one stays valid for `overlap`.
    ///
    /// # Errors
    /// `Admin(NotFound)`, `Admin(Invalid)` for a client without a secret; `Unavailable`.
    pub fn renew_client_secret(&self, id: &ClientId, overlap: Duration) -> Result<PlainSecret> {
        let credentials = self.registered_client(id)?.credentials;
        if !matches!(credentials, Credentials::Secret { .. }) {
            let method = credentials.method();
            return Err(invalid(format!("client {id} has no secret: its method is {method}")));
        }
        let secret = PlainSecret::generate()?;
        let old_until = self.now().plus(overlap);
        if !self.storage.set_client_secret(id, &HashedSecret::of(&secret), old_until)? {
            return Err(not_found("client", id.as_str()));
        }
        Ok(secret)
    }

    /// The registered clients, by name.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn registered_clients(&self) -> Result<Vec<Client>> {
        Ok(self.storage.all_clients()?)
    }

    /// Whether a client can prove itself so. Keys that it publishes are fetched when it first does.
    pub(super) fn check_method(&self, method: &ClientMethod) -> Result<()> {
        match method {
            ClientMethod::Secret
            | ClientMethod::None
            | ClientMethod::Certificate(_)
            | ClientMethod::PrivateKeyJwt(ClientKeys::Stored(_)) => Ok(()),
            ClientMethod::PrivateKeyJwt(ClientKeys::At(url)) => self.check_url_of_keys(url),
            ClientMethod::Workload(workload) => self.registered_trusted_issuer(&workload.issuer).map(drop),
        }
    }

    pub(super) fn check_registered<'a>(&self, mut audiences: impl Iterator<Item = &'a String>) -> Result<()> {
        let registered = self.storage.all_audiences()?;
        let is_registered = |name: &String| registered.iter().any(|audience| audience.name == *name);
        let Some(unknown) = audiences.find(|audience| !is_registered(audience)) else { return Ok(()) };
        let advice = format!("create it with `auth-service audience create {unknown}`");
        Err(Error::new(AdminFault::NotFound, format!("audience {unknown:?} not found: {advice}")))
    }
}

/// Whether the settings of a client's logins go together.
pub(super) fn check_login(login: &ClientLogin, grants: &[GrantType], is_public: bool) -> Result<()> {
    let by_code = grants.contains(&GrantType::AuthorizationCode);
    if by_code && login.redirect_uris.is_empty() {
        return Err(invalid("the grant authorization_code needs a redirect URI: --redirect-uri"));
    }
    if !by_code && !login.redirect_uris.is_empty() {
        return Err(invalid("a redirect URI needs the grant authorization_code: --grant authorization_code"));
    }
    if is_public && login.pkce == Pkce::Optional {
        return Err(invalid("a public client cannot do without PKCE (RFC 9700 section 2.1.1)"));
    }
    if is_public && grants.contains(&GrantType::ClientCredentials) {
        return Err(invalid(
            "a public client cannot use client_credentials: it has nothing to prove itself with",
        ));
    }
    if login.name.chars().count() > 100 || login.name.chars().any(char::is_control) {
        return Err(invalid("a name has at most 100 characters, and no control characters"));
    }
    let Some(uri) = &login.backchannel_logout_uri else { return Ok(()) };
    let known = uri.starts_with("https://") || uri.starts_with("http://");
    let url =
        url::Url::parse(uri).ok().filter(|url| known && url.host().is_some() && url.username().is_empty());
    match url {
        Some(url) if url.fragment().is_none() => Ok(()),
        _ => Err(invalid("a back-channel logout URI is an http or https URL without a fragment")),
    }
}
