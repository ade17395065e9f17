use serde_json::{Map, Value};

use super::read::PresentedToken;
use crate::authority::Authority;
use crate::clients::OPENID_SCOPE;
use crate::error::{Error, OAuthFault, Result, TokenFault};
use crate::users::claims_of_scope;

impl Authority {
    /// The audience of tokens that only ask who the user is.
    pub(in crate::authority) fn userinfo_audience(&self) -> String {
        format!("{}/oauth2/userinfo", self.issuer.url)
    }

    /// Who the user of an access token is (OpenID Connect Core section 5.3), as far as the scope of the token goes.
    ///
    /// # Errors
    /// `Token` with the fault; `OAuth(InvalidDpopProof)`; `OAuth(InvalidScope)` without `openid`; `Unavailable`.
    pub fn userinfo(&self, presented: &PresentedToken) -> Result<Map<String, Value>> {
        let claims = self.read_live_access_token(presented)?;
        let Some(session_id) = claims.sid.as_deref().filter(|_| claims.scope.contains(OPENID_SCOPE)) else {
            return Err(Error::new(OAuthFault::InvalidScope, "the token does not have the scope `openid`"));
        };
        let found = self.storage.identity_and_asked_claims(&claims.sub, session_id)?;
        let (identity, asked) = found.ok_or(TokenFault::Revoked)?;
        let mut names = claims_of_scope(claims.scope.as_str());
        names.extend(asked.iter().map(String::as_str));
        let mut told = Map::new();
        told.insert("sub".to_owned(), claims.sub.clone().into());
        told.extend(identity.claims(names));
        Ok(told)
    }
}
