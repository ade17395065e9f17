//! The MAC that everything in the audit log is authenticated by.

use aws_lc_rs::{hkdf, hmac};

use crate::keys::{KeyPurpose, Secrets};

/// HMAC-SHA-256 (RFC 2104). Anyone who can write to the database, and has not the master key, can neither alter an entry nor
/// take one out unseen.
pub type Mac = [u8; 32];

/// A key for each kind of MAC. With one for all, anyone who can write to the database could have one kind made in place of
/// another: the MAC of the entry before, which goes into the next one, is read from there.
pub(super) struct AuditKeys {
    pub(super) links: hmac::Key,
    pub(super) personal_data: hmac::Key,
    pub(super) checkpoints: hmac::Key,
}

impl AuditKeys {
    pub(super) fn new(secrets: &Secrets) -> Self {
        let secret = secrets.get(KeyPurpose::AuditChain);
        Self {
            links: hmac::Key::new(hmac::HMAC_SHA256, secret),
            personal_data: expanded(secret, "personal data"),
            checkpoints: expanded(secret, "checkpoints"),
        }
    }
}

/// HKDF-SHA256 (RFC 5869).
fn expanded(secret: &[u8; 32], purpose: &str) -> hmac::Key {
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, b"signet audit log").extract(secret);
    let mut key = [0; 32];
    #[expect(clippy::expect_used, reason = "32 bytes are one block of HKDF-SHA256")]
    pseudorandom
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|output| output.fill(&mut key))
        .expect("HKDF-SHA256 gives 32 bytes");
    hmac::Key::new(hmac::HMAC_SHA256, &key)
}

/// A MAC over fields, each with its length: two of them cannot trade characters, and an absent one is not an empty one.
pub(super) struct Fields(hmac::Context);

impl Fields {
    pub(super) fn new(key: &hmac::Key) -> Self {
        Self(hmac::Context::with_key(key))
    }

    /// Behind the MAC of the entry before.
    pub(super) fn after(key: &hmac::Key, before: &Mac) -> Self {
        let mut context = hmac::Context::with_key(key);
        context.update(before);
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
