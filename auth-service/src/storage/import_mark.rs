//! Digests of a user at the last import, to detect what has changed in Django since.

use aws_lc_rs::digest::{Context, SHA256};
use md5::{Digest, Md5};

use crate::import::ImportedUser;
use crate::secret::hex;

/// Digests of the imported values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Name, roles, profile.
    record: String,
    /// MD5 of the hash, in upper case: what simplejwt puts into tokens by `CHECK_REVOKE_TOKEN`.
    pub(super) password: String,
    pub(super) disabled: bool,
    pub(super) email: String,
}

impl Mark {
    pub(super) fn of(user: &ImportedUser) -> Self {
        let roles = user.roles.join(" ");
        Self {
            record: digest(&[user.username.as_str(), &roles, &user.profile]),
            password: hex(&Md5::digest(user.password_hash.as_bytes())).to_uppercase(),
            disabled: user.disabled,
            email: digest(&[user.email.as_deref().unwrap_or_default()]),
        }
    }

    pub(super) fn text(&self) -> String {
        format!("{}.{}.{}.{}", self.record, self.password, u8::from(self.disabled), self.email)
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.split('.');
        let mut next = || parts.next().unwrap_or_default().to_owned();
        Self { record: next(), password: next(), disabled: next() == "1", email: next() }
    }
}

/// 128 bits of SHA-256 over the parts, which cannot run into each other.
fn digest(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex(&context.finish().as_ref()[..16])
}
