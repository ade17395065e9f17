use std::sync::Arc;

use shared_claims::encryption::EncryptionKey;
use shared_claims::verifier::ACCESS_TOKEN_TYPE;

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
    pub token_type: TokenType,
}

/// `typ` in the header of access tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenType {
    /// As RFC 9068 section 2.1 asks for, so that no other kind of token is taken for one.
    #[default]
    AccessToken,
    /// `JWT`, for verifiers that refuse what they do not know.
    Jwt,
}

impl TokenType {
    pub const ALL: [Self; 2] = [Self::AccessToken, Self::Jwt];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => ACCESS_TOKEN_TYPE,
            Self::Jwt => "JWT",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// How the tokens of an audience are made, at hand.
#[derive(Clone, Default)]
pub struct TokenForm {
    pub algorithm: Option<Algorithm>,
    pub encryption: Encryption,
    pub token_type: TokenType,
}

/// Who can read them.
#[derive(Clone, Default)]
pub enum Encryption {
    /// Anyone who holds one.
    #[default]
    None,
    /// Only the audience.
    To(Arc<EncryptionKey>),
    /// The key that is stored cannot be read, though it was checked when it was registered. Nothing is sent
    /// in clear instead.
    Unusable,
}

/// Changes of an audience; `None` leaves a value as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct AudienceChange {
    pub algorithm: Option<Algorithm>,
    pub token_type: Option<TokenType>,
}

impl Audience {
    /// One with the defaults.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            algorithm: None,
            encryption_jwks: None,
            token_type: TokenType::default(),
        }
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
        TokenForm { algorithm: self.algorithm, encryption, token_type: self.token_type }
    }
}
