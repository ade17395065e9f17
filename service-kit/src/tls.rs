//! TLS of a service's own listeners: rustls on aws-lc-rs, TLS 1.2 and 1.3, with a certificate that is loaded again when
//! its files change.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use documented::DocumentedFields;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::client_certificates::ClientCertificates;
use crate::networks::Networks;
use crate::secret_file;

/// How often the files are read. Renewals come weeks before the old certificate ends.
const RELOAD: Duration = Duration::from_secs(5);

/// TLS of the HTTP and gRPC listeners.
#[derive(Debug, Clone, Default, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Tls {
    /// File with the certificate chain (PEM), the own certificate first; turns TLS on for HTTP and gRPC. Loaded again
    /// when it changes.
    pub certificate_file: Option<PathBuf>,
    /// File with the private key (PEM, mode 0600).
    pub key_file: Option<PathBuf>,
    /// File with the certificate authorities (PEM) of client certificates: clients may present one, and it must be
    /// valid then, unless `request_client_certificates` is set. Unset requests none.
    pub client_ca_file: Option<PathBuf>,
    /// Clients may present a certificate of any issuer, also a self-signed one. It says nothing by itself: it has to be
    /// registered.
    pub request_client_certificates: bool,
    /// Addresses and networks of proxies that end TLS and hand the certificate of their client on in `Client-Cert` (RFC 9440),
    /// separated by commas. They must remove that header from what clients send.
    pub client_cert_proxies: Networks,
}

/// What a listener with TLS needs.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    certificate: Arc<Reloading>,
}

impl Tls {
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.certificate_file.is_some()
    }

    /// Which certificates clients may show.
    ///
    /// # Errors
    /// One line: the setting, the file, and what is wrong.
    pub fn client_certificates(&self) -> Result<ClientCertificates, String> {
        let known = self.client_verifier(&aws_lc_rs())?;
        let (any, proxies) = (self.request_client_certificates, self.client_cert_proxies.clone());
        Ok(ClientCertificates::new(known, any, proxies))
    }

    /// Loads the files; `None` where TLS is off.
    ///
    /// # Errors
    /// One line: the setting, the file, and what is wrong.
    pub fn load(&self, certificates: &ClientCertificates) -> Result<Option<ServerTls>, String> {
        let (certificate_file, key_file) = match (&self.certificate_file, &self.key_file) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (None, None) if self.request_client_certificates => {
                return Err(
                    "tls.request_client_certificates needs tls.certificate_file and tls.key_file".to_owned()
                );
            }
            (None, None) if self.client_ca_file.is_some() && self.client_cert_proxies.is_empty() => {
                return Err("tls.client_ca_file needs tls.certificate_file and tls.key_file, or tls.client_cert_proxies".to_owned());
            }
            (None, None) => return Ok(None),
            _ => return Err("tls.certificate_file and tls.key_file belong together".to_owned()),
        };
        let provider = aws_lc_rs();
        let certificate = Arc::new(Reloading::load(certificate_file, key_file, &provider)?);
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| format!("tls: {error}"))?;
        let builder = match certificates.of_handshake(&provider) {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_client_cert_verifier(Arc::new(NoClientAuth)),
        };
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>;
        let config = Arc::new(builder.with_cert_resolver(resolver));
        Ok(Some(ServerTls { config, certificate }))
    }

    fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
        let Some(path) = &self.client_ca_file else { return Ok(None) };
        let wrong = |cause: String| format!("tls.client_ca_file {}: {cause}", path.display());
        let mut roots = rustls::RootCertStore::empty();
        for certificate in certificates(path).map_err(wrong)? {
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        builder.allow_unauthenticated().build().map(Some).map_err(|error| wrong(error.to_string()))
    }
}

impl ServerTls {
    /// For HTTP/1.1: the server adds its protocol to the configuration.
    #[must_use]
    pub fn http_config(&self) -> ServerConfig {
        (*self.config).clone()
    }

    /// For gRPC, which is HTTP/2 (ALPN `h2`).
    #[must_use]
    pub fn grpc_config(&self) -> Arc<ServerConfig> {
        let mut config = (*self.config).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// Loads the certificate again when its files change, until it is stopped. Files that cannot be used change nothing.
    pub async fn reload(self, stop: CancellationToken) {
        let mut failed = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RELOAD) => {}
            }
            match self.certificate.reload() {
                Ok(true) => tracing::info!("the TLS certificate was loaded again"),
                Ok(false) => {}
                // Once for each cause.
                Err(cause) if failed.as_ref() == Some(&cause) => continue,
                Err(cause) => {
                    tracing::error!(
                        cause,
                        "the TLS certificate cannot be loaded again; the one before stays in use"
                    );
                    failed = Some(cause);
                    continue;
                }
            }
            failed = None;
        }
    }
}

/// A certificate with its key, and the files that it comes from.
#[derive(Debug)]
struct Reloading {
    certificate_file: PathBuf,
    key_file: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

impl Reloading {
    fn load(
        certificate_file: PathBuf,
        key_file: PathBuf,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let current = ArcSwap::from_pointee(certified_key(&certificate_file, &key_file, provider)?);
        Ok(Self { certificate_file, key_file, provider: Arc::clone(provider), current })
    }

    /// Whether it has changed.
    fn reload(&self) -> Result<bool, String> {
        let found = certified_key(&self.certificate_file, &self.key_file, &self.provider)?;
        if found.cert == self.current.load().cert {
            return Ok(false);
        }
        self.current.store(Arc::new(found));
        Ok(true)
    }
}

impl ResolvesServerCert for Reloading {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn certified_key(
    certificate_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, String> {
    let wrong = |cause: String| format!("tls.certificate_file {}: {cause}", certificate_file.display());
    let chain = certificates(certificate_file).map_err(wrong)?;
    let wrong_key = |cause: String| format!("tls.key_file {}: {cause}", key_file.display());
    let pem = secret_file::read(key_file).map_err(wrong_key)?;
    let pem = pem.ok_or_else(|| wrong_key("the file does not exist".to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| wrong_key("no private key in PEM (PKCS #8, PKCS #1 or SEC 1)".to_owned()))?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| wrong_key(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    // A renewal writes two files, one after the other.
    certified.keys_match().map_err(|_| wrong("not the certificate of tls.key_file".to_owned()))?;
    Ok(certified)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = fs::read(path).map_err(|error| error.to_string())?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err("no certificate in PEM".to_owned()),
    }
}

/// The one that everything else here uses.
pub(crate) fn aws_lc_rs() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
