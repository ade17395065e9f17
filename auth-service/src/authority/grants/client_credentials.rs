use crate::authority::Authority;
use crate::authority::tokens::{Draft, IssuedTokens};
use crate::clients::{Client, GrantType};
use crate::error::Result;
use crate::metrics;
use crate::sender_proof::SenderProof;

/// What a client asks for itself.
#[derive(Default)]
pub struct ClientCredentialsGrant {
    pub scope: Option<String>,
    pub audience: Option<String>,
    pub sender: SenderProof,
}

impl Authority {
    /// A token for the client itself (RFC 6749 section 4.4). No refresh token: the client can ask
    /// again (section 4.4.3). Touches neither disk nor database.
    ///
    /// # Errors
    /// `unauthorized_client`, `invalid_scope`, `invalid_target`; `invalid_dpop_proof`, `use_dpop_nonce`; `Unavailable` without an
    /// active key.
    pub fn issue_client_token(
        &self,
        client: &Client,
        request: &ClientCredentialsGrant,
    ) -> Result<IssuedTokens> {
        self.check_may_issue_from_memory()?;
        client.check_grant(GrantType::ClientCredentials)?;
        let scope = client.narrow_scope(request.scope.as_deref())?;
        let audience = client.choose_audience(request.audience.as_deref())?;
        let cnf = self.confirm(&self.check_sender(client, &request.sender)?)?;
        let draft = Draft::for_client(client, &audience, &scope).bound_to(cnf);
        let access_token = self.mint_access_token(&draft, self.now())?;
        metrics::issued(GrantType::ClientCredentials.as_str());
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: scope.to_string(),
            id_token: None,
            refresh_token: None,
            cnf,
            issued_token_type: None,
        })
    }
}
