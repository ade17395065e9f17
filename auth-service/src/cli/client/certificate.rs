use std::path::PathBuf;

use clap::Args;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::cli::{Failure, key_file};
use crate::clients::{CertificateName, ClientMethod, InvalidCertificates, RegisteredCertificate};

/// The certificates of a client.
#[derive(Debug, Args)]
pub(super) struct CertificateOptions {
    /// Certificates of the client (PEM), self-signed or not: it authenticates by one of them, in the TLS handshake, without a
    /// secret. Needs `tls.request_client_certificates`, or a proxy of `tls.client_cert_proxies`.
    #[arg(long = "certificate", value_name = "FILE", group = "keys", group = "change")]
    file: Option<PathBuf>,
    /// The client authenticates by a certificate of a certificate authority of `tls.client_ca_file` with this DNS name.
    #[arg(long, value_name = "NAME", group = "keys", group = "change", value_parser = CertificateName::dns)]
    tls_san_dns: Option<CertificateName>,
    /// The same with this URI, such as spiffe://example.org/billing.
    #[arg(long, value_name = "URI", group = "keys", group = "change", value_parser = CertificateName::uri)]
    tls_san_uri: Option<CertificateName>,
    /// The same with this IP address.
    #[arg(long, value_name = "ADDRESS", group = "keys", group = "change", value_parser = CertificateName::ip)]
    tls_san_ip: Option<CertificateName>,
    /// The same with this e-mail address.
    #[arg(long, value_name = "ADDRESS", group = "keys", group = "change", value_parser = CertificateName::email)]
    tls_san_email: Option<CertificateName>,
    /// The same with this subject, such as CN=billing,O=Example (RFC 4514).
    #[arg(long, value_name = "NAME", group = "keys", group = "change", value_parser = CertificateName::subject_dn)]
    tls_subject_dn: Option<CertificateName>,
}

impl CertificateOptions {
    pub(super) fn read(self) -> Result<Option<ClientMethod>, Failure> {
        if let Some(path) = self.file {
            let registered = key_file::read(&path, |pem| {
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
                found
                    .ok()
                    .and_then(|found| RegisteredCertificate::listed(&found).ok())
                    .ok_or(InvalidCertificates)
            })?;
            return Ok(Some(ClientMethod::Certificate(registered)));
        }
        let names =
            [self.tls_san_dns, self.tls_san_uri, self.tls_san_ip, self.tls_san_email, self.tls_subject_dn];
        let name = names.into_iter().flatten().next();
        Ok(name.map(|name| ClientMethod::Certificate(RegisteredCertificate::Named(name))))
    }
}
