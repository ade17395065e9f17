//! One file per grant type, one exhaustive match (RFC 6749 section 1.3).

mod authorization_code;
mod begin;
mod client_credentials;
mod device_code;
mod exchange_notes;
mod first_tokens;
mod password;
mod refresh;
mod refresh_answer;
mod token_exchange;

use std::sync::Arc;

use super::{Authority, Step};
use crate::authority::tokens::IssuedTokens;
use crate::clients::Client;
use crate::context::RequestContext;
use crate::error::Result;
use crate::secret::PlainSecret;

pub use authorization_code::AuthorizationCodeGrant;
pub use client_credentials::ClientCredentialsGrant;
pub use device_code::{DeviceAuthorization, DeviceCodes};
pub(in crate::authority) use password::Lifetimes;
pub use password::PasswordGrant;
pub use refresh::RefreshGrant;
pub(in crate::authority) use refresh_answer::RefreshAnswer;
pub use token_exchange::{ACCESS_TOKEN_TYPE, TOKEN_EXCHANGE, TokenExchangeGrant};

/// A request for tokens, after its client has been authenticated.
pub enum Grant {
    AuthorizationCode(Box<AuthorizationCodeGrant>),
    ClientCredentials(ClientCredentialsGrant),
    DeviceCode { device_code: PlainSecret, context: RequestContext },
    Password(Box<PasswordGrant>),
    RefreshToken(RefreshGrant),
    TokenExchange(Box<TokenExchangeGrant>),
}

impl Authority {
    /// Issues tokens to a client.
    ///
    /// # Errors
    /// `unauthorized_client` when the client is not registered for the grant; those of the grant.
    pub fn grant(&self, client: Arc<Client>, grant: Grant) -> Result<Step<IssuedTokens>> {
        match grant {
            Grant::AuthorizationCode(request) => self.redeem_code(client, &request),
            Grant::ClientCredentials(request) => self.issue_client_token(&client, &request).map(Step::Done),
            Grant::DeviceCode { device_code, context } => {
                Ok(Step::blocks(move |authority| authority.poll_device(client, &device_code, &context)))
            }
            Grant::Password(request) => {
                Ok(Step::blocks(move |authority| authority.obtain_pair(&client, &request)))
            }
            Grant::RefreshToken(request) => self.refresh(client, request),
            Grant::TokenExchange(request) => self.exchange_token(client, *request),
        }
    }
}
