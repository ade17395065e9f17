use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{AccountFault, Error, ErrorKind, Result};
use crate::keys::{KeyPurpose, Secrets, Vault};

/// Longest token, in characters; a registration has a name, an address and a password hash in it.
const MAX_CHARACTERS: usize = 2048;

/// What is sent by mail and comes back. It is sealed and not stored: nothing grows when strangers ask for e-mails, and
/// what a token is good for ends it (a changed password, a taken name, an hour).
pub(crate) struct MailTokens(Vault);

/// A kind of token. One is never taken for another: they are sealed under different names.
pub(crate) trait Kind: Serialize + DeserializeOwned {
    const NAME: &'static str;
    /// What its e-mails are counted as.
    const LIMIT_REALM: &'static str;
    const TTL: Duration;
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// Milliseconds since the epoch.
    exp: i64,
    content: T,
}

impl MailTokens {
    #[must_use]
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self(Vault::new(secrets.get(KeyPurpose::SealMailTokens)))
    }

    /// # Errors
    /// `Internal`.
    pub(crate) fn seal<T: Kind>(&self, content: T, now: Timestamp) -> Result<String> {
        let internal = |cause: String| Error::new(ErrorKind::Internal, cause);
        let sealed = Sealed { exp: now.plus(T::TTL).0, content };
        let octets = serde_json::to_vec(&sealed).map_err(|error| internal(error.to_string()))?;
        let sealed = self.0.seal(T::NAME, &octets).map_err(|error| internal(error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// # Errors
    /// `LinkInvalid`, whatever is wrong.
    pub(crate) fn open<T: Kind>(&self, unverified: &str, now: Timestamp) -> Result<T> {
        let invalid = |cause: &str| Error::new(AccountFault::LinkInvalid, format!("{}: {cause}", T::NAME));
        if unverified.len() > MAX_CHARACTERS {
            return Err(invalid("too long"));
        }
        let sealed = URL_SAFE_NO_PAD.decode(unverified.trim()).map_err(|_| invalid("no base64url"))?;
        let octets = self.0.open(T::NAME, &sealed).map_err(|_| invalid("not sealed here for this"))?;
        let opened: Sealed<T> = serde_json::from_slice(&octets).map_err(|_| invalid("another version's"))?;
        if opened.exp <= now.0 {
            return Err(invalid("it has expired"));
        }
        Ok(opened.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct One(String);
    impl Kind for One {
        const NAME: &'static str = "one";
        const LIMIT_REALM: &'static str = "e-mails: one";
        const TTL: Duration = Duration::from_secs(60);
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Other(String);
    impl Kind for Other {
        const NAME: &'static str = "other";
        const LIMIT_REALM: &'static str = "e-mails: other";
        const TTL: Duration = Duration::from_secs(60);
    }

    #[test]
    fn a_token_opens_for_its_own_purpose_in_its_time_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let master = MasterKey::create(&folder.path().join("master.key")).unwrap();
        let tokens = MailTokens::new(&Secrets::derived(&master));
        let token = tokens.seal(One("alice".to_owned()), Timestamp(0)).unwrap();
        assert_eq!(tokens.open::<One>(&token, Timestamp(59_999)).unwrap(), One("alice".to_owned()));
        assert!(tokens.open::<One>(&token, Timestamp(60_000)).is_err());
        assert!(tokens.open::<Other>(&token, Timestamp(0)).is_err(), "another purpose");
        assert!(!token.contains("alice"));
        for broken in
            [&token[1..], &token[..token.len() - 1], "", "x", &format!("{token}A"), &"A".repeat(5000)]
        {
            assert_eq!(
                tokens.open::<One>(broken, Timestamp(0)).unwrap_err().kind,
                ErrorKind::Account(AccountFault::LinkInvalid)
            );
        }
    }
}
