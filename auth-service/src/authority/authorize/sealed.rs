use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{KeyPurpose, Secrets, ValueVault};

/// Longest value that is opened, in characters.
const MAX_CHARACTERS: usize = 16 * 1024;

/// Values that are given away and come back: codes, and the state of a page. They are sealed and not stored, so that nothing
/// grows when strangers ask for pages.
pub(super) struct SealedValues(ValueVault);

/// A kind of value. One is never taken for another: they are sealed under different names. The version stands in the name: a
/// value of another version does not open.
pub(super) trait Kind: Serialize + DeserializeOwned {
    const NAME: &'static str;
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// Milliseconds since the epoch.
    exp: i64,
    content: T,
}

/// A value that was sealed here.
#[derive(Debug)]
pub(super) struct Opened<T> {
    pub content: T,
    pub is_expired: bool,
}

/// It was not sealed here for this, or by another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl SealedValues {
    pub(super) fn new(secrets: &Secrets) -> Self {
        Self(ValueVault::new(secrets.get(KeyPurpose::SealAuthorization)))
    }

    /// # Errors
    /// `Internal`.
    pub(super) fn seal<T: Kind>(&self, content: T, expires_at: Timestamp) -> Result<String> {
        let internal = |cause: String| Error::new(ErrorKind::Internal, cause);
        let sealed = Sealed { exp: expires_at.0, content };
        let octets = serde_json::to_vec(&sealed).map_err(|error| internal(error.to_string()))?;
        let sealed = self.0.seal(T::NAME, &octets).map_err(|error| internal(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// # Errors
    /// [`Unreadable`], whatever is wrong.
    pub(super) fn open<T: Kind>(
        &self,
        unverified: &str,
        now: Timestamp,
    ) -> std::result::Result<Opened<T>, Unreadable> {
        if unverified.len() > MAX_CHARACTERS {
            return Err(Unreadable);
        }
        let sealed = URL_SAFE_NO_PAD.decode(unverified).map_err(|_| Unreadable)?;
        let octets = self.0.open(T::NAME, &sealed).map_err(|_| Unreadable)?;
        let Sealed { exp, content } = serde_json::from_slice(&octets).map_err(|_| Unreadable)?;
        Ok(Opened { content, is_expired: exp <= now.0 })
    }
}
