//! Certificates of clients, good and bad ones, and the authorities that issue them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use service_kit::client_certificates::ShownCertificate;
use shared_claims::Thumbprint;

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

/// A certificate with its key.
pub struct Certificate {
    pub der: Vec<u8>,
    /// The certificate.
    pub pem: String,
    /// The key.
    pub key_pem: String,
}

/// Those of a client named so, valid from 2020 to 2120.
///
/// # Panics
/// Never: the names are text.
#[must_use]
pub fn of_client(common_name: &str, names: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.subject_alt_names = names;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params
}

/// Another name of a certificate.
///
/// # Panics
/// For a text that is not ASCII.
#[must_use]
pub fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().expect("ASCII"))
}

/// The same.
///
/// # Panics
/// For a text that is not ASCII.
#[must_use]
pub fn uri(name: &str) -> SanType {
    SanType::URI(name.try_into().expect("ASCII"))
}

/// The same.
///
/// # Panics
/// For a text that is not ASCII.
#[must_use]
pub fn email(name: &str) -> SanType {
    SanType::Rfc822Name(name.try_into().expect("ASCII"))
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("randomness");
        let mut params = of_client("an authority", Vec::new());
        params.extended_key_usages = Vec::new();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key).expect("it signs").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn issue(&self, params: &CertificateParams) -> Certificate {
        let key = KeyPair::generate().expect("randomness");
        Certificate::of(&params.signed_by(&key, &self.issuer).expect("it signs"), &key)
    }

    /// For a client with one other name.
    #[must_use]
    pub fn issue_for(&self, name: SanType) -> Certificate {
        self.issue(&of_client("billing", vec![name]))
    }
}

impl Certificate {
    fn of(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self { der: certificate.der().to_vec(), pem: certificate.pem(), key_pem: key.serialize_pem() }
    }

    #[must_use]
    pub fn self_signed(common_name: &str) -> Self {
        Self::signed_by_itself(&of_client(common_name, Vec::new()))
    }

    /// # Panics
    /// Without randomness.
    #[must_use]
    pub fn signed_by_itself(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("randomness");
        Self::of(&params.self_signed(&key).expect("it signs"), &key)
    }

    /// With what no reader knows, and has to (RFC 5280 section 4.2).
    #[must_use]
    pub fn with_unknown_critical_extension(mut params: CertificateParams) -> CertificateParams {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 55555, 1], vec![5, 0]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
        params
    }

    /// `x5t#S256`.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        Thumbprint::of_certificate(&self.der).to_string()
    }

    /// As a connection shows it, of an authority that nobody knows.
    #[must_use]
    pub fn shown(&self) -> Arc<ShownCertificate> {
        self.shown_by(false)
    }

    /// The same, whether an authority that is known has issued it or not.
    #[must_use]
    pub fn shown_by(&self, is_issued_by_known: bool) -> Arc<ShownCertificate> {
        let der = CertificateDer::from(self.der.clone());
        Arc::new(ShownCertificate { der, is_issued_by_known })
    }

    /// `Client-Cert` (RFC 9440 section 2.2).
    #[must_use]
    pub fn header(&self) -> String {
        use base64::Engine;
        format!(":{}:", base64::engine::general_purpose::STANDARD.encode(&self.der))
    }
}
