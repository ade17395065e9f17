use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use super::CertificateFault;

/// Longest name, in bytes.
const MAX_BYTES: usize = 512;

/// The one name by which a client is known (RFC 8705 section 2.1.2). A certificate may have others beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateName {
    /// `tls_client_auth_subject_dn`, in the form of RFC 4514.
    SubjectDn(String),
    /// `tls_client_auth_san_dns`.
    Dns(String),
    /// `tls_client_auth_san_uri`: also the ID of a SPIFFE workload.
    Uri(String),
    /// `tls_client_auth_san_ip`.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`.
    Email(String),
}

/// A name is none of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of this kind, or longer than {MAX_BYTES} bytes")]
pub struct InvalidName;

impl CertificateName {
    /// In RFC 4514 form, such as `CN=billing,O=Example`.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn subject_dn(text: &str) -> Result<Self, InvalidName> {
        let name = Name::from_str(bounded(text)?).map_err(|_| InvalidName)?;
        // As those of certificates are written.
        Ok(Self::SubjectDn(name.to_string()))
    }

    /// # Errors
    /// [`InvalidName`]; patterns are none.
    pub fn dns(text: &str) -> Result<Self, InvalidName> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = bounded(text)?.bytes().all(legal);
        if is_name { Ok(Self::Dns(text.to_ascii_lowercase())) } else { Err(InvalidName) }
    }

    /// # Errors
    /// [`InvalidName`].
    pub fn uri(text: &str) -> Result<Self, InvalidName> {
        let is_uri = bounded(text)?.split_once(':').is_some_and(|(scheme, rest)| {
            !scheme.is_empty() && !rest.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        if is_uri { Ok(Self::Uri(text.to_owned())) } else { Err(InvalidName) }
    }

    /// # Errors
    /// [`InvalidName`].
    pub fn ip(text: &str) -> Result<Self, InvalidName> {
        text.parse().map(Self::Ip).map_err(|_| InvalidName)
    }

    /// # Errors
    /// [`InvalidName`].
    pub fn email(text: &str) -> Result<Self, InvalidName> {
        let is_address = bounded(text)?.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        if is_address { Ok(Self::Email(text.to_owned())) } else { Err(InvalidName) }
    }

    /// The name of its member of client metadata.
    #[must_use]
    pub const fn member(&self) -> &'static str {
        match self {
            Self::SubjectDn(_) => "tls_client_auth_subject_dn",
            Self::Dns(_) => "tls_client_auth_san_dns",
            Self::Uri(_) => "tls_client_auth_san_uri",
            Self::Ip(_) => "tls_client_auth_san_ip",
            Self::Email(_) => "tls_client_auth_san_email",
        }
    }

    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::SubjectDn(text) | Self::Dns(text) | Self::Uri(text) | Self::Email(text) => text.clone(),
            Self::Ip(address) => address.to_string(),
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let (member, value) = text.split_once(' ')?;
        let read = match member {
            "tls_client_auth_subject_dn" => Self::subject_dn(value),
            "tls_client_auth_san_dns" => Self::dns(value),
            "tls_client_auth_san_uri" => Self::uri(value),
            "tls_client_auth_san_ip" => Self::ip(value),
            "tls_client_auth_san_email" => Self::email(value),
            _ => return None,
        };
        read.ok()
    }

    /// Whether a certificate is for it. Names are compared whole: a certificate with a pattern is for no client.
    pub(super) fn is_in(&self, certificate: &Certificate) -> Result<bool, CertificateFault> {
        let certificate = certificate.tbs_certificate();
        if let Self::SubjectDn(name) = self {
            return Ok(certificate.subject().to_string() == *name);
        }
        let names =
            certificate.get_extension::<SubjectAltName>().map_err(|_| CertificateFault::Unreadable)?;
        let Some((_, SubjectAltName(names))) = names else { return Ok(false) };
        Ok(names.iter().any(|name| match (self, name) {
            (Self::Dns(wanted), GeneralName::DnsName(name)) => name.as_str().eq_ignore_ascii_case(wanted),
            (Self::Uri(wanted), GeneralName::UniformResourceIdentifier(name)) => name.as_str() == wanted,
            (Self::Email(wanted), GeneralName::Rfc822Name(name)) => name.as_str() == wanted,
            (Self::Ip(IpAddr::V4(wanted)), GeneralName::IpAddress(name)) => {
                name.as_bytes() == wanted.octets()
            }
            (Self::Ip(IpAddr::V6(wanted)), GeneralName::IpAddress(name)) => {
                name.as_bytes() == wanted.octets()
            }
            _ => false,
        }))
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.member(), self.value())
    }
}

fn bounded(text: &str) -> Result<&str, InvalidName> {
    if (1..=MAX_BYTES).contains(&text.len()) { Ok(text) } else { Err(InvalidName) }
}
