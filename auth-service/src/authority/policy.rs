use std::sync::Arc;
use std::time::Duration;

use crate::clients::Client;
use crate::tokens::{ClaimMap, LegacyTokens, UserIdForm};

/// How long tokens and sessions live.
#[derive(Debug, Clone, Copy)]
pub struct TokenPolicy {
    pub access_ttl: Duration,
    /// A session that is not refreshed for this long ends.
    pub refresh_idle_ttl: Duration,
    /// A session ends after this long, however often it is refreshed.
    pub refresh_absolute_ttl: Duration,
    /// How long a used refresh token is answered with the successor that it already has.
    pub refresh_grace: Duration,
    /// How long client tokens are issued, and keys served, after the database was last seen.
    pub offline_issuing: Duration,
    /// Most live sessions of one user: beyond it the oldest ends.
    pub max_sessions: u32,
}

/// Compatibility with simplejwt's clients and services.
pub struct SimpleJwt {
    /// The client behind simplejwt's endpoints, which know none.
    pub first_party: Arc<Client>,
    pub user_id: UserIdForm,
    pub claims: ClaimMap,
    /// Whether a refresh hands out another refresh token.
    pub rotate: bool,
    /// How long a token is valid after its `exp`.
    pub leeway: Duration,
    /// `None` where they are not offered.
    pub sliding: Option<SlidingPolicy>,
    /// The previous issuer, as long as its tokens are exchanged.
    pub legacy: Option<LegacyTokens>,
}

/// How long sliding tokens live.
#[derive(Debug, Clone, Copy)]
pub struct SlidingPolicy {
    /// Each of them.
    pub ttl: Duration,
    /// All that follow from one login.
    pub refresh_ttl: Duration,
}

impl SimpleJwt {
    /// Whether users who are created here get a number for the `user_id` of their tokens.
    #[must_use]
    pub fn numbers_users(&self) -> bool {
        self.user_id == UserIdForm::Integer
    }
}
