//! Signing keys: the only folder that ever sees a private one.
//!
//! A key goes through **standby -> published -> active -> retired -> removed**, or to **revoked**
//! from any of them. Its record holds the times of these changes, so that every replica derives the same state from
//! the clock and a rotation is one row. Verifiers know a key from standby until it is removed.

mod algorithm;
mod import;
mod jws;
mod master_key;
mod ring;
mod rotation;
mod sealed;
mod secrets;
mod self_test;
mod signing_key;

use crate::clock::Timestamp;

pub use algorithm::Algorithm;
pub use import::{ImportError, import_pem};
pub(crate) use jws::sign;
pub use master_key::{KeyPurpose, MasterKey, MasterKeyError};
pub use ring::{KeyRing, Keys, Signer, UnusableKey};
pub(crate) use rotation::{
    KeyDemand, KeyStep, has_room, next_step, retirements, successor_candidate, takeover,
};
pub use rotation::{KeyPolicy, Retirement, Takeover};
pub use sealed::{CannotOpen, ValueVault, Vault};
pub use secrets::{SealedSecret, Secrets};
pub use signing_key::{InvalidKey, SigningKey};

/// The activation time of a key that nothing is scheduled for (9999-12-31T23:59:59Z). A date that every version
/// understands: one that knows no standby keys sees a key that is published and waits.
pub const UNSCHEDULED: Timestamp = Timestamp(253_402_300_799_000);

/// A key as it rests in the database.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// RFC 7638 thumbprint of the public key, SHA-256, base64url.
    pub kid: String,
    pub algorithm: Algorithm,
    pub sealed_private_key: Vec<u8>,
    /// The public key as it stands in the JWKS.
    pub public_jwk: String,
    pub created_at: Timestamp,
    pub published_at: Timestamp,
    /// When it starts to sign; [`UNSCHEDULED`] for a standby key.
    pub activates_at: Timestamp,
    /// When its successor takes over; unknown until there is one.
    pub retires_at: Option<Timestamp>,
    /// When the last token that it signed has expired everywhere.
    pub removed_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Where a key stands at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    Prepared {
        publishes_at: Timestamp,
    },
    /// Published, for the rotation or the revocation that will need it.
    Standby,
    /// Published, and scheduled to sign.
    Published {
        activates_at: Timestamp,
    },
    Active {
        since: Timestamp,
    },
    Retired {
        removed_at: Option<Timestamp>,
    },
    Removed,
    Revoked {
        at: Timestamp,
    },
}

impl KeyRecord {
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if let Some(at) = self.revoked_at {
            return KeyState::Revoked { at };
        }
        if self.removed_at.is_some_and(|at| at <= now) {
            return KeyState::Removed;
        }
        if self.retires_at.is_some_and(|at| at <= now) {
            return KeyState::Retired { removed_at: self.removed_at };
        }
        if self.activates_at <= now {
            return KeyState::Active { since: self.activates_at };
        }
        if self.published_at <= now && self.activates_at == UNSCHEDULED {
            return KeyState::Standby;
        }
        if self.published_at <= now {
            return KeyState::Published { activates_at: self.activates_at };
        }
        KeyState::Prepared { publishes_at: self.published_at }
    }
}

impl KeyState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepared { .. } => "prepared",
            Self::Standby => "standby",
            Self::Published { .. } => "published",
            Self::Active { .. } => "active",
            Self::Retired { .. } => "retired",
            Self::Removed => "removed",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// Whether verifiers must know the key: from before its first signature until after its last token.
    #[must_use]
    pub fn is_public(self) -> bool {
        match self {
            Self::Standby | Self::Published { .. } | Self::Active { .. } | Self::Retired { .. } => true,
            Self::Prepared { .. } | Self::Removed | Self::Revoked { .. } => false,
        }
    }

    /// Whether the key signs, or has a time from which it will.
    #[must_use]
    pub fn signs_or_will(self) -> bool {
        match self {
            Self::Prepared { .. } | Self::Published { .. } | Self::Active { .. } => true,
            Self::Standby | Self::Retired { .. } | Self::Removed | Self::Revoked { .. } => false,
        }
    }
}
