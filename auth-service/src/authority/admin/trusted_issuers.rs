use super::{invalid, not_found, taken, unless_taken};
use crate::authority::Authority;
use crate::clients::{IssuerKeys, TrustedIssuer};
use crate::error::{AdminFault, Error, Result};
use crate::storage::TrustedIssuerDeleted;

/// Longest name of an issuer or an audience, in bytes.
const MAX_NAME_BYTES: usize = 512;

impl Authority {
    /// Trusts the tokens of a platform to say which workload has them.
    ///
    /// # Errors
    /// `Admin(Invalid)` for an issuer or URL that cannot be one, and for this authority itself; `Admin(Taken)`; `Unavailable`.
    pub fn create_trusted_issuer(&self, new: &TrustedIssuer) -> Result<()> {
        self.check_trusted_issuer(new)?;
        let created = self.storage.create_trusted_issuer(new, self.now());
        created.map_err(|error| unless_taken(error, || format!("{} is trusted already", new.issuer)))
    }

    /// Replaces keys and audience.
    ///
    /// # Errors
    /// `Admin(Invalid)`, `Admin(NotFound)`; `Unavailable`.
    pub fn update_trusted_issuer(&self, changed: &TrustedIssuer) -> Result<()> {
        self.check_trusted_issuer(changed)?;
        match self.storage.update_trusted_issuer(changed)? {
            true => Ok(()),
            false => Err(not_found("trusted issuer", &changed.issuer)),
        }
    }

    /// # Errors
    /// `Admin(NotFound)`; `Admin(InUse)` while clients prove themselves by its tokens; `Unavailable`.
    pub fn delete_trusted_issuer(&self, issuer: &str) -> Result<()> {
        match self.storage.delete_trusted_issuer(issuer)? {
            TrustedIssuerDeleted::Done => Ok(()),
            TrustedIssuerDeleted::Unknown => Err(not_found("trusted issuer", issuer)),
            TrustedIssuerDeleted::UsedBy(clients) => {
                let cause = format!("the tokens of {issuer} prove the clients {}", clients.join(", "));
                Err(Error::new(AdminFault::InUse, cause))
            }
        }
    }

    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn registered_trusted_issuer(&self, issuer: &str) -> Result<TrustedIssuer> {
        let found = self.storage.all_trusted_issuers()?.into_iter().find(|trusted| trusted.issuer == issuer);
        let advice = format!(
            "trusted issuer {issuer:?} not found: create it with `auth-service trusted-issuer create {issuer}`"
        );
        found.ok_or_else(|| Error::new(AdminFault::NotFound, advice))
    }

    /// By issuer.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn registered_trusted_issuers(&self) -> Result<Vec<TrustedIssuer>> {
        Ok(self.storage.all_trusted_issuers()?)
    }

    /// Whether a URL of keys is one that may be fetched.
    pub(super) fn check_url_of_keys(&self, url: &str) -> Result<()> {
        let checked = self.proofs.remote_keys.outbound().check_url(url);
        checked.map(drop).map_err(|error| invalid(format!("the URL of the key set: {error}")))
    }

    fn check_trusted_issuer(&self, trusted: &TrustedIssuer) -> Result<()> {
        let fits = |text: &str| {
            (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !fits(&trusted.issuer) || !trusted.audience.as_deref().is_none_or(fits) {
            return Err(invalid(format!(
                "issuer and audience have 1 to {MAX_NAME_BYTES} characters, without spaces"
            )));
        }
        // Any user's token would prove a workload.
        if trusted.issuer == self.issuer.url {
            return Err(taken(format!("{} is this authority", trusted.issuer)));
        }
        match &trusted.keys {
            IssuerKeys::Stored(_) => Ok(()),
            IssuerKeys::At(url) => self.check_url_of_keys(url),
            IssuerKeys::Discovered if trusted.is_trust_domain() => {
                Err(invalid("a trust domain has no metadata: name its bundle with --jwks-uri or --jwks"))
            }
            IssuerKeys::Discovered => self.check_url_of_keys(&trusted.issuer),
        }
    }
}
