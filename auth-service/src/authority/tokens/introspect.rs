use std::sync::Arc;

use serde::Serialize;
use shared_claims::{AccessClaims, Confirmation};

use super::read::ValidatedToken;
use super::token_type;
use crate::authority::{Authority, Step};
use crate::clients::Client;
use crate::error::{Error, OAuthFault, Result};
use crate::tokens::RefreshClaims;

/// The answer to an introspection (RFC 7662 section 2.2). An inactive token says nothing else.
#[derive(Debug)]
pub enum Introspection {
    Inactive,
    Active(Box<ActiveToken>),
}

/// What an active token says, in the words of RFC 7662. Times are seconds since the epoch.
#[derive(Debug, Serialize)]
pub struct ActiveToken {
    pub active: bool,
    pub token_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    pub client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    pub sub: String,
    pub aud: Vec<String>,
    pub iss: String,
    pub jti: String,
    pub exp: u64,
    pub iat: u64,
    /// What its holder has to show with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

impl Authority {
    /// Tells a client about a token that concerns it: one that was issued to it, or an access token
    /// whose audience it is. Everything else is inactive, without a difference (RFC 7662 section 4).
    ///
    /// # Errors
    /// `Unavailable` when the database cannot say.
    pub fn introspect(&self, caller: &Client, unverified_token: &str) -> Result<Step<Introspection>> {
        if caller.is_public() {
            // Anybody can say that they are this client (RFC 7662 section 2.1).
            return Err(Error::new(OAuthFault::InvalidClient, format!("client {} is public", caller.id)));
        }
        match self.read_token(unverified_token, self.now()) {
            Ok(ValidatedToken::Refresh(claims)) if claims.client_id == caller.id => {
                Ok(Step::blocks(move |authority| authority.introspect_refresh_token(claims)))
            }
            Ok(ValidatedToken::Access(claims)) if concerns(caller, &claims) => {
                if self.is_fresh() {
                    return Ok(self.introspect_access_token(claims));
                }
                Ok(Step::blocks(move |authority| {
                    authority.check_fresh()?;
                    authority.introspect_access_token(claims).complete(authority)
                }))
            }
            Ok(ValidatedToken::Refresh(_) | ValidatedToken::Access(_)) | Err(_) => {
                Ok(Step::Done(Introspection::Inactive))
            }
        }
    }

    fn introspect_refresh_token(&self, claims: RefreshClaims) -> Result<Introspection> {
        if !self.refresh_token_holds(&claims, self.now())? {
            return Ok(Introspection::Inactive);
        }
        Ok(Introspection::Active(Box::new(self.active_refresh_token(claims)?)))
    }

    /// Asks the database only for the name of a user that is not at hand.
    fn introspect_access_token(&self, claims: Arc<AccessClaims>) -> Step<Introspection> {
        if !self.access_token_holds(&claims) {
            return Step::Done(Introspection::Inactive);
        }
        if claims.is_machine() {
            return Step::Done(active_access_token(&claims, None));
        }
        match self.reader.usernames.get(&claims.sub) {
            Some(username) => Step::Done(active_access_token(&claims, Some(username))),
            None => Step::blocks(move |authority| {
                let username = authority.username_of(&claims.sub)?;
                // It may have been revoked while it waited for a thread.
                Ok(match authority.access_token_holds(&claims) {
                    true => active_access_token(&claims, username),
                    false => Introspection::Inactive,
                })
            }),
        }
    }

    fn active_refresh_token(&self, claims: RefreshClaims) -> Result<ActiveToken> {
        Ok(ActiveToken {
            active: true,
            token_type: "refresh_token",
            scope: String::new(),
            client_id: claims.client_id.to_string(),
            username: self.username_of(&claims.user_id)?.map(|name| name.to_string()),
            sub: claims.user_id,
            aud: vec![self.issuer.url.clone()],
            iss: self.issuer.url.clone(),
            jti: claims.jti,
            exp: claims.exp,
            iat: claims.iat,
            cnf: claims.cnf,
        })
    }

    /// A name, from memory where it is at hand: an account keeps the one that it was made with.
    fn username_of(&self, user_id: &str) -> Result<Option<Arc<str>>> {
        if let Some(name) = self.reader.usernames.get(user_id) {
            return Ok(Some(name));
        }
        let name: Option<Arc<str>> =
            self.storage.find_user_by_id(user_id)?.map(|user| user.username.as_str().into());
        if let Some(name) = &name {
            self.reader.usernames.insert(user_id.to_owned(), Arc::clone(name));
        }
        Ok(name)
    }
}

/// Whether a token was issued to this client, is meant for it, or for an audience that it answers for; it learns nothing
/// of others.
fn concerns(caller: &Client, claims: &AccessClaims) -> bool {
    let id = caller.id.as_str();
    claims.client_id == id
        || claims.aud.iter().any(|audience| audience == id || caller.introspects.contains(audience))
}

fn active_access_token(claims: &AccessClaims, username: Option<Arc<str>>) -> Introspection {
    Introspection::Active(Box::new(ActiveToken {
        active: true,
        token_type: token_type(claims.cnf),
        scope: claims.scope.to_string(),
        client_id: claims.client_id.clone(),
        username: username.map(|name| name.to_string()),
        sub: claims.sub.clone(),
        aud: claims.aud.clone(),
        iss: claims.iss.clone(),
        jti: claims.jti.clone(),
        exp: claims.exp,
        iat: claims.iat,
        cnf: claims.cnf,
    }))
}
