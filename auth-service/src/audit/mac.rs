//! The MAC that everything in the audit log is authenticated by.

use aws_lc_rs::hmac;

/// HMAC-SHA-256 (RFC 2104). Anyone who can write to the database, and has not the master key, can neither alter an entry nor
/// take one out unseen.
pub type Mac = [u8; 32];

/// A MAC over fields, each with its length: two of them cannot trade characters, and an absent one is not an empty one.
pub(super) struct Fields(hmac::Context);

impl Fields {
    /// Behind 32 bytes that say what the fields are: the MAC of the entry before, or a label that is none.
    pub(super) fn after(key: &hmac::Key, first: &[u8]) -> Self {
        let mut context = hmac::Context::with_key(key);
        context.update(first);
        Self(context)
    }

    pub(super) fn number(mut self, number: i64) -> Self {
        self.0.update(&number.to_be_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: Option<&[u8]>) -> Self {
        let length = field.map_or(u64::MAX, |field| field.len() as u64);
        self.0.update(&length.to_be_bytes());
        self.0.update(field.unwrap_or_default());
        self
    }

    pub(super) fn text(self, field: Option<&String>) -> Self {
        self.bytes(field.map(String::as_bytes))
    }

    pub(super) fn mac(self) -> Mac {
        let mut mac = [0; 32];
        mac.copy_from_slice(self.0.sign().as_ref());
        mac
    }
}
