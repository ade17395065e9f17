use std::sync::Arc;

use shared_claims::encryption::EncryptionKey;

use crate::keys::Algorithm;

/// A service that tokens are meant for, as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// The `aud` of its tokens, byte by byte.
    pub name: String,
    /// What its verifiers need; the default one if none.
    pub algorithm: Option<Algorithm>,
    /// Its public encryption key, as a JWKS: its access tokens are encrypted to it then.
    pub encryption_jwks: Option<String>,
}

/// How the tokens of an audience are made, at hand.
#[derive(Clone, Default)]
pub struct TokenForm {
    pub algorithm: Option<Algorithm>,
    pub encryption: Encryption,
}

/// Who can read them.
#[derive(Clone, Default)]
pub enum Encryption {
    /// Whoever holds one.
    #[default]
    None,
    /// Only the audience.
    To(Arc<EncryptionKey>),
    /// The key that is stored cannot be read, though it was checked when it was registered. Nothing is sent
    /// in clear instead.
    Unusable,
}

impl Audience {
    /// One with the defaults.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), algorithm: None, encryption_jwks: None }
    }

    pub(super) fn token_form(&self) -> TokenForm {
        let key = self.encryption_jwks.as_ref().map(|jwks| EncryptionKey::from_jwks(jwks.as_bytes()));
        let encryption = match key {
            None => Encryption::None,
            Some(Ok(key)) => Encryption::To(Arc::new(key)),
            Some(Err(error)) => {
                tracing::error!(audience = self.name, %error, "its encryption key is unusable");
                Encryption::Unusable
            }
        };
        TokenForm { algorithm: self.algorithm, encryption }
    }
}
