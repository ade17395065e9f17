use std::sync::Arc;

use serde::Serialize;
use shared_claims::AccessClaims;

use super::read::ValidatedToken;
use crate::authority::Authority;
use crate::clients::Client;
use crate::error::Result;
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
}

impl Authority {
    /// Tells a client about a token that concerns it: one that was issued to it, or an access token
    /// whose audience it is. Everything else is inactive, without a difference (RFC 7662 section 4).
    ///
    /// # Errors
    /// `Unavailable` when the database cannot say.
    pub fn introspect(&self, caller: &Client, unverified_token: &str) -> Result<Introspection> {
        let now = self.now();
        match self.read_token(unverified_token, now) {
            Ok(ValidatedToken::Refresh(claims)) => {
                if claims.client_id != caller.id || !self.refresh_token_holds(&claims, now)? {
                    return Ok(Introspection::Inactive);
                }
                Ok(Introspection::Active(Box::new(self.active_refresh_token(claims)?)))
            }
            Ok(ValidatedToken::Access(claims)) => {
                if !concerns(caller, &claims) {
                    return Ok(Introspection::Inactive);
                }
                self.check_fresh()?;
                if !self.access_token_holds(&claims) {
                    return Ok(Introspection::Inactive);
                }
                let username = if claims.is_machine() { None } else { self.username_of(&claims.sub)? };
                Ok(active_access_token(&claims, username))
            }
            Err(_) => Ok(Introspection::Inactive),
        }
    }

    /// The same, where it needs no database: for an access token of a machine, or of a user whose name
    /// is at hand, and for what is no token of the caller's.
    #[must_use]
    pub fn introspect_from_memory(&self, caller: &Client, unverified_token: &str) -> Option<Introspection> {
        match self.read_token(unverified_token, self.now()) {
            Ok(ValidatedToken::Refresh(_)) => None,
            Ok(ValidatedToken::Access(claims)) if !concerns(caller, &claims) => Some(Introspection::Inactive),
            Ok(ValidatedToken::Access(_)) if !self.is_fresh() => None,
            Ok(ValidatedToken::Access(claims)) if !self.access_token_holds(&claims) => {
                Some(Introspection::Inactive)
            }
            Ok(ValidatedToken::Access(claims)) => {
                let username =
                    if claims.is_machine() { None } else { Some(self.reader.usernames.get(&claims.sub)?) };
                Some(active_access_token(&claims, username))
            }
            Err(_) => Some(Introspection::Inactive),
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
        token_type: "Bearer",
        scope: claims.scope.to_string(),
        client_id: claims.client_id.clone(),
        username: username.map(|name| name.to_string()),
        sub: claims.sub.clone(),
        aud: claims.aud.clone(),
        iss: claims.iss.clone(),
        jti: claims.jti.clone(),
        exp: claims.exp,
        iat: claims.iat,
    }))
}
