//! Certificates by which clients prove themselves (RFC 8705 section 2).

mod name;

use std::fmt;

use service_kit::client_certificates::ShownCertificate;
use shared_claims::Thumbprint;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::time::Time;

use crate::clock::Timestamp;

pub use name::{CertificateName, InvalidName};

/// `token_endpoint_auth_method` (RFC 8705 section 2.1.1), and what the database holds.
pub(crate) const TLS_CLIENT_AUTH: &str = "tls_client_auth";

/// The same (RFC 8705 section 2.2.1).
pub(crate) const SELF_SIGNED_TLS: &str = "self_signed_tls_client_auth";

/// Most certificates of one client: one in use, one to come, and some to spare.
const MOST: usize = 8;

/// Which certificates are those of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisteredCertificate {
    /// These, of whatever issuer.
    Listed(Vec<Thumbprint>),
    /// All that a certificate authority of the setting has issued for this name.
    Named(CertificateName),
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    #[error("the certificate cannot be read")]
    Unreadable,
    #[error("the certificate is not valid yet")]
    NotYetValid,
    #[error("the certificate has expired")]
    Expired,
    #[error("the certificate is not one of those that are registered")]
    NotListed,
    #[error("no certificate authority of tls.client_ca_file has issued the certificate for a client")]
    UnknownIssuer,
    #[error("the certificate is for another name than the one that is registered")]
    OtherName,
}

/// The registered certificates of a client cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {MOST} certificates (X.509 version 3)")]
pub struct InvalidCertificates;

impl RegisteredCertificate {
    /// Of certificates in DER.
    ///
    /// # Errors
    /// [`InvalidCertificates`].
    pub fn listed<T: AsRef<[u8]>>(certificates: &[T]) -> Result<Self, InvalidCertificates> {
        let all_read = certificates.iter().all(|der| Certificate::from_der(der.as_ref()).is_ok());
        if !all_read || !(1..=MOST).contains(&certificates.len()) {
            return Err(InvalidCertificates);
        }
        Ok(Self::Listed(certificates.iter().map(|der| Thumbprint::of_certificate(der.as_ref())).collect()))
    }

    /// `token_endpoint_auth_method`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Listed(_) => SELF_SIGNED_TLS,
            Self::Named(_) => TLS_CLIENT_AUTH,
        }
    }

    /// Reads what [`fmt::Display`] has written.
    #[must_use]
    pub fn parse(method: &str, text: &str) -> Option<Self> {
        match method {
            SELF_SIGNED_TLS => {
                text.split(' ').map(Thumbprint::parse).collect::<Option<_>>().map(Self::Listed)
            }
            TLS_CLIENT_AUTH => CertificateName::read(text).map(Self::Named),
            _ => None,
        }
    }

    /// Whether a certificate is the client's at `now`.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn check(&self, shown: &ShownCertificate, now: Timestamp) -> Result<(), CertificateFault> {
        let certificate = Certificate::from_der(&shown.der).map_err(|_| CertificateFault::Unreadable)?;
        match self {
            Self::Listed(known) if !known.contains(&Thumbprint::of_certificate(&shown.der)) => {
                return Err(CertificateFault::NotListed);
            }
            Self::Named(_) if !shown.is_issued_by_known => return Err(CertificateFault::UnknownIssuer),
            Self::Named(name) if !name.is_in(&certificate)? => return Err(CertificateFault::OtherName),
            Self::Listed(_) | Self::Named(_) => {}
        }
        // A connection may outlive its certificate.
        let seconds = |time: Time| time.to_unix_duration().as_secs();
        let validity = certificate.tbs_certificate().validity();
        if now.seconds() < seconds(validity.not_before) {
            return Err(CertificateFault::NotYetValid);
        }
        if now.seconds() > seconds(validity.not_after) {
            return Err(CertificateFault::Expired);
        }
        Ok(())
    }
}

/// As the database and the audit log have it.
impl fmt::Display for RegisteredCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(thumbprints) => {
                let texts: Vec<String> = thumbprints.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join(" "))
            }
            Self::Named(name) => write!(f, "{name}"),
        }
    }
}
