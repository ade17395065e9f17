use super::begin::{Beginning, gets_refresh_token};
use super::refresh::binds_refresh;
use crate::authority::Authority;
use crate::authority::tokens::{Draft, IdTokenDraft, IssuedTokens};
use crate::clients::OPENID_SCOPE;
use crate::error::Result;
use crate::metrics;
use crate::sessions::{FromBrowser, Session};
use crate::storage::Redeemed;
use crate::users::Attributes;

/// What became of it.
pub(super) enum Begun {
    Issued(IssuedTokens),
    /// Not the first time: the session has been ended.
    Again,
    /// The user or the browser session is gone, or the password has changed.
    Gone,
}

impl Authority {
    /// The first tokens of a session that has begun.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn begin(&self, beginning: Beginning, redeemed: Redeemed) -> Result<Begun> {
        match redeemed {
            Redeemed::Started { session, browser, attributes } => {
                metrics::issued(beginning.grant.as_str());
                self.first_tokens(beginning, (&session, &browser), &attributes).map(Begun::Issued)
            }
            Redeemed::Again(_) => Ok(Begun::Again),
            Redeemed::Gone => Ok(Begun::Gone),
        }
    }

    /// The tokens that a session begins with: an ID token for `openid`, a refresh token for clients that may have one and asked
    /// for it, or are the operator's own.
    fn first_tokens(
        &self,
        beginning: Beginning,
        (session, browser): (&Session, &FromBrowser),
        attributes: &Attributes,
    ) -> Result<IssuedTokens> {
        let Beginning { client, nonce, webhook_claims, id_token_claims, cnf, .. } = beginning;
        let (client, nonce, now) = (&*client, nonce.as_deref(), session.created_at);
        let custom = self.simplejwt.claims.of(attributes, webhook_claims)?;
        let draft = Draft::for_user(session, attributes, &session.scope, custom).bound_to(cnf);
        let access_token = self.mint_access_token(&draft, now)?;
        let id_token = match session.scope.contains(OPENID_SCOPE) {
            false => None,
            true => {
                let (access_token, claims) = (access_token.as_str(), id_token_claims);
                let draft = IdTokenDraft { client, session, browser, nonce, access_token, claims };
                Some(self.mint_id_token(draft, now)?)
            }
        };
        let refresh_token = gets_refresh_token(client, browser)
            .then(|| self.mint_refresh_token(session, attributes, binds_refresh(client, cnf)))
            .transpose()?;
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: session.scope.to_string(),
            refresh_token,
            id_token,
            cnf,
            issued_token_type: None,
        })
    }
}
