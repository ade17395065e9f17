use serde::Serialize;
use shared_claims::AccessClaims;

use super::known::KnownToken;
use super::refresh_token::RefreshClaims;
use crate::authority::Authority;
use crate::clients::Client;
use crate::error::{ErrorKind, Result};

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
        let Ok(token) = self.read_token(unverified_token, now) else { return Ok(Introspection::Inactive) };
        let caller_id = caller.id.as_str();
        let concerns_caller = match &token {
            KnownToken::Access(claims) => {
                claims.client_id == caller_id || claims.aud.iter().any(|audience| audience == caller_id)
            }
            KnownToken::Refresh(claims) => claims.client_id == caller.id,
        };
        if !concerns_caller {
            return Ok(Introspection::Inactive);
        }
        match self.check_holds(&token, now) {
            Err(error) if matches!(error.kind, ErrorKind::Token(_)) => Ok(Introspection::Inactive),
            Err(error) => Err(error),
            Ok(()) => {
                let active = match token {
                    KnownToken::Access(claims) => self.active_access_token(claims)?,
                    KnownToken::Refresh(claims) => self.active_refresh_token(claims)?,
                };
                Ok(Introspection::Active(Box::new(active)))
            }
        }
    }

    fn active_access_token(&self, claims: AccessClaims) -> Result<ActiveToken> {
        let username = if claims.is_machine() { None } else { self.username_of(&claims.sub)? };
        Ok(ActiveToken {
            active: true,
            token_type: "Bearer",
            scope: claims.scope.to_string(),
            client_id: claims.client_id,
            username,
            sub: claims.sub,
            aud: claims.aud,
            iss: claims.iss,
            jti: claims.jti,
            exp: claims.exp,
            iat: claims.iat,
        })
    }

    fn active_refresh_token(&self, claims: RefreshClaims) -> Result<ActiveToken> {
        Ok(ActiveToken {
            active: true,
            token_type: "refresh_token",
            scope: String::new(),
            client_id: claims.client_id.to_string(),
            username: self.username_of(&claims.user_id)?,
            sub: claims.user_id,
            aud: vec![self.issuer.clone()],
            iss: self.issuer.clone(),
            jti: claims.jti,
            exp: claims.exp,
            iat: claims.iat,
        })
    }

    fn username_of(&self, user_id: &str) -> Result<Option<String>> {
        Ok(self.storage.find_user_by_id(user_id)?.map(|user| user.username))
    }
}
