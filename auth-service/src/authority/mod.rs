//! The authority: the use cases, one method each, and the parts that they work with. HTTP, gRPC and the command line only
//! decode a request, call one of them, and encode the answer.

pub mod account;
pub mod admin;
pub mod authorize;
mod browser_sessions;
mod client_authentication;
pub mod grants;
mod issuer;
pub mod legacy;
mod logout_notices;
mod policy;
mod proofs;
pub mod sign_in;
mod step;
pub mod sync;
pub mod tokens;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clients::ClientDirectory;
use crate::clock::{Clock, Timestamp};
use crate::storage::Storage;

pub use client_authentication::Authentication;
pub use issuer::Issuer;
pub use logout_notices::{Attempt, Outgoing};
pub use policy::{SimpleJwt, SlidingPolicy, TokenPolicy};
pub use proofs::Proofs;
pub use step::Step;

/// One per process, shared by everything that serves. Each part can be built and tested alone.
pub struct Authority {
    pub policy: TokenPolicy,
    pub simplejwt: SimpleJwt,
    pub clock: Arc<dyn Clock>,
    pub storage: Storage,
    pub clients: ClientDirectory,
    /// By what clients prove who they are, and that they hold the keys of their tokens.
    pub proofs: Proofs,
    /// Signs.
    pub issuer: Issuer,
    /// Reads what was signed.
    pub reader: tokens::TokenReader,
    /// Proves who a user is.
    pub sign_in: sign_in::SignIn,
    /// Leads users from the request of a client to a code.
    pub authorize: authorize::AuthorizeService,
    /// What users do for themselves.
    pub account: account::AccountService,
    /// What this replica knows of the database and of its verifiers.
    pub sync: sync::SyncState,
}

impl Authority {
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When the last access token that has been issued by now has expired at every verifier, also one that was issued
    /// under another setting.
    #[must_use]
    pub fn revoked_until(&self, now: Timestamp) -> Timestamp {
        let known = Duration::from_millis(self.sync.longest_token.load(Ordering::Relaxed));
        now.plus(known.max(self.issuer.key_policy.longest_token))
    }
}
