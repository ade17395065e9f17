use std::fmt;

use super::{ClientKeys, PRIVATE_KEY_JWT, RegisteredCertificate, WORKLOAD, Workload};

/// How a client that is to be registered, or changed, will prove itself.
#[derive(Debug, Clone, Default)]
pub enum ClientMethod {
    /// By a secret, which is made with it.
    #[default]
    Secret,
    /// Not at all: a public client.
    None,
    PrivateKeyJwt(ClientKeys),
    Workload(Workload),
    Certificate(RegisteredCertificate),
}

impl ClientMethod {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Secret => "client_secret_basic",
            Self::None => "none",
            Self::PrivateKeyJwt(_) => PRIVATE_KEY_JWT,
            Self::Workload(_) => WORKLOAD,
            Self::Certificate(registered) => registered.method(),
        }
    }
}

/// For the audit log: the method, and what proves the client.
impl fmt::Display for ClientMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::Secret | Self::None => Ok(()),
            Self::PrivateKeyJwt(ClientKeys::Stored(stored)) => {
                write!(f, ", keys {}", stored.kids().join(" "))
            }
            Self::PrivateKeyJwt(ClientKeys::At(url)) => write!(f, ", keys at {url}"),
            Self::Certificate(registered) => write!(f, ", certificate {registered}"),
            Self::Workload(Workload { issuer, subject, claims }) => {
                write!(f, ", issuer {issuer}, subject {subject}")?;
                claims.iter().try_for_each(|(name, value)| write!(f, ", {name} {value}"))
            }
        }
    }
}
