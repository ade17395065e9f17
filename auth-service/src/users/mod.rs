//! Users, and how they prove who they are.

mod address;
mod attempts;
mod identity;
mod login_limiter;
mod password_rules;
mod passwords;
mod recovery_codes;
mod second_factor;
mod username;

use crate::clock::Timestamp;

pub use address::Address;
pub use attempts::{Attempt, AttemptPolicy, ClientIp, Count, CountKey, KNOWN_FOR, Limited};
pub use identity::{Identity, SCOPE_CLAIMS, claims_of_scope};
pub use login_limiter::{LoginLimiter, LoginPermit};
pub use password_rules::{PasswordFault, PasswordRules};
pub use passwords::{
    Dummies, HasherBusy, Origin, PasswordHasher, SchemeInUse, StoredHash, UnknownHash, is_ours,
};
pub use recovery_codes::RecoveryCodes;
pub(crate) use recovery_codes::normal_code;
pub use second_factor::{PresentedFactor, StoredFactor};
pub use username::{Username, UsernameFault, spelling_key};

/// Longest password that is hashed, in bytes; longer ones are refused before any work.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Largest profile of a user, in bytes of JSON: claims are made of it, and go into each token.
pub const MAX_PROFILE_BYTES: usize = 2560;

/// A user's account.
#[derive(Debug, Clone)]
pub struct User {
    /// A UUID that never comes back: the `sub` of this user's tokens.
    pub id: String,
    pub username: Username,
    pub password_hash: String,
    /// Grows with every change of the password.
    pub password_epoch: i64,
    pub attributes: Attributes,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

/// What tokens say of a user beside the `sub`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub roles: Vec<String>,
    /// The id that the account has where it came from, or a number of its own.
    pub legacy_id: Option<String>,
    /// What else is known, as a JSON object; read only where a claim is made of it.
    pub profile: String,
}

impl User {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }

    /// Whether any password can fit.
    #[must_use]
    pub fn has_password(&self) -> bool {
        StoredHash::parse(&self.password_hash).is_ok_and(|stored| stored != StoredHash::Unusable)
    }
}

impl Attributes {
    /// Of an account that was made here.
    #[must_use]
    pub fn of_roles(roles: Vec<String>) -> Self {
        Self { roles, legacy_id: None, profile: "{}".to_owned() }
    }
}
