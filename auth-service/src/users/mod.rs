//! People, and how they prove who they are.

mod attempts;
mod passwords;
mod turns;

use crate::clock::Timestamp;

pub use attempts::{Attempt, AttemptPolicy, Count};
pub use passwords::{HasherBusy, PasswordHasher};
pub use turns::{LoginTurns, Turn};

/// Longest password that is hashed, in bytes; longer ones are refused before any work.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// 1 to 150 characters without control characters, surrounding space not counted, as in Django.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// `None` when the text cannot be a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=150).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person's account.
#[derive(Debug, Clone)]
pub struct User {
    /// A UUID that never comes back: the `sub` of this person's tokens.
    pub id: String,
    pub username: String,
    pub password_hash: String,
    /// Grows with every change of the password.
    pub password_epoch: i64,
    pub roles: Vec<String>,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
}

impl User {
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.disabled_at.is_none()
    }
}
