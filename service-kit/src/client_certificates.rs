//! Certificates of clients: of the handshake, or of that with a proxy, which hands them on (RFC 9440).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_cache::sync::Cache;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::networks::Networks;

/// Largest header that is read, in characters: a chain of four.
const MAX_HEADER: usize = 12 * 1024;

/// Headers that are remembered: a proxy sends the same one with each request of a connection.
const REMEMBERED: usize = 1000;

/// And for so long.
const REMEMBERED_FOR: Duration = Duration::from_secs(10);

/// The certificate that a client has shown, and whose key it holds.
#[derive(Debug)]
pub struct ShownCertificate {
    pub der: CertificateDer<'static>,
    /// Whether one of the certificate authorities of the setting has issued it for clients, and it was valid when it was shown.
    pub is_issued_by_known: bool,
}

/// The header of a proxy that is trusted holds no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`Client-Cert` or `Client-Cert-Chain` is not what RFC 9440 says, or there is more than one")]
pub struct UnreadableHeader;

/// Which certificates clients may show, and where. A copy is cheap.
#[derive(Clone)]
pub struct ClientCertificates(Arc<Inner>);

struct Inner {
    /// Of the certificate authorities.
    known: Option<Arc<dyn ClientCertVerifier>>,
    asks_for_any: bool,
    proxies: Networks,
    /// And when they were read.
    of_headers: Cache<String, (Instant, Arc<ShownCertificate>)>,
}

impl ClientCertificates {
    pub(crate) fn new(
        known: Option<Arc<dyn ClientCertVerifier>>,
        asks_for_any: bool,
        proxies: Networks,
    ) -> Self {
        Self(Arc::new(Inner { known, asks_for_any, proxies, of_headers: Cache::new(REMEMBERED) }))
    }

    /// Where no client has one.
    #[must_use]
    pub fn none() -> Self {
        Self::new(None, false, Networks::default())
    }

    /// Behind proxies that end TLS.
    #[must_use]
    pub fn behind(proxies: Networks) -> Self {
        Self::new(None, false, proxies)
    }

    /// Whether any client could show one.
    #[must_use]
    pub fn may_be_shown(&self) -> bool {
        self.issued_ones_count() || self.any_may_be_shown()
    }

    /// Whether there are authorities whose certificates say who a client is.
    #[must_use]
    pub fn issued_ones_count(&self) -> bool {
        self.0.known.is_some()
    }

    /// Whether a client could show one that it has signed itself.
    #[must_use]
    pub fn any_may_be_shown(&self) -> bool {
        self.0.asks_for_any || !self.0.proxies.is_empty()
    }

    /// For the handshake; `None` asks for none.
    pub(crate) fn of_handshake(&self, provider: &Arc<CryptoProvider>) -> Option<Arc<dyn ClientCertVerifier>> {
        if self.0.asks_for_any {
            return Some(Arc::new(AnyClient(Arc::clone(provider))));
        }
        self.0.known.clone()
    }

    /// The certificate of a connection, the client's own first in the chain.
    #[must_use]
    pub fn of_connection(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<Arc<ShownCertificate>> {
        chain.and_then(|chain| self.shown(chain)).map(Arc::new)
    }

    /// That of a request: of the connection, or, where a proxy that is trusted has sent it, of the connection to the proxy. The
    /// certificate of the proxy itself is no client's, and the header of anyone else counts for nothing.
    ///
    /// # Errors
    /// [`UnreadableHeader`].
    pub fn of_request<'a>(
        &self,
        remote: Option<IpAddr>,
        of_connection: Option<&Arc<ShownCertificate>>,
        header: impl Fn(&'static str) -> Vec<Option<&'a str>>,
    ) -> Result<Option<Arc<ShownCertificate>>, UnreadableHeader> {
        let is_proxy = |remote: IpAddr| self.0.proxies.contains(remote.to_canonical());
        if self.0.proxies.is_empty() || !remote.is_some_and(is_proxy) {
            return Ok(of_connection.cloned());
        }
        let certificate = match header("client-cert").as_slice() {
            [] => return Ok(None),
            [Some(only)] => *only,
            _ => return Err(UnreadableHeader),
        };
        let chain: Option<Vec<&str>> = header("client-cert-chain").into_iter().collect();
        let chain = chain.ok_or(UnreadableHeader)?.join(",");
        self.of_header(certificate, &chain).map(Some)
    }

    fn of_header(&self, certificate: &str, chain: &str) -> Result<Arc<ShownCertificate>, UnreadableHeader> {
        if certificate.len() + chain.len() > MAX_HEADER {
            return Err(UnreadableHeader);
        }
        let whole = format!("{certificate},{chain}");
        match self.0.of_headers.get(&whole) {
            // Not for long: one that was not valid yet may be now, and one that was may have expired.
            Some((read_at, known)) if read_at.elapsed() < REMEMBERED_FOR => return Ok(known),
            _ => {}
        }
        let others = chain.split(',').filter(|item| !item.trim().is_empty());
        let items = [certificate].into_iter().chain(others).map(byte_sequence);
        let chain: Vec<CertificateDer<'static>> = items.collect::<Option<_>>().ok_or(UnreadableHeader)?;
        let shown = Arc::new(self.shown(&chain).ok_or(UnreadableHeader)?);
        self.0.of_headers.insert(whole, (Instant::now(), Arc::clone(&shown)));
        Ok(shown)
    }

    fn shown(&self, chain: &[CertificateDer<'_>]) -> Option<ShownCertificate> {
        let (own, intermediates) = chain.split_first()?;
        let verified = |known: &Arc<dyn ClientCertVerifier>| {
            known.verify_client_cert(own, intermediates, UnixTime::now()).is_ok()
        };
        let is_issued_by_known = self.0.known.as_ref().is_some_and(verified);
        Some(ShownCertificate { der: own.clone().into_owned(), is_issued_by_known })
    }
}

/// `:` base64 `:` (RFC 8941 section 3.3.5, RFC 9440 section 2.1).
fn byte_sequence(item: &str) -> Option<CertificateDer<'static>> {
    let encoded = item.trim().strip_prefix(':')?.strip_suffix(':')?;
    let der = STANDARD.decode(encoded).ok()?;
    (!der.is_empty()).then(|| CertificateDer::from(der))
}

/// Takes the certificate of any client that holds its key; who that is, is decided later.
#[derive(Debug)]
struct AnyClient(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(proxies: &str) -> ClientCertificates {
        ClientCertificates::behind(Networks::parse(proxies).unwrap())
    }

    type Seen = Result<Option<Vec<u8>>, UnreadableHeader>;

    fn seen(policy: &ClientCertificates, remote: &str, header: &[&'static str], own: bool) -> Seen {
        let connection = own.then(|| policy.of_connection(Some(&[b"own".to_vec().into()])).unwrap());
        let header = |name: &str| match name {
            "client-cert" => header.iter().map(|value| Some(*value)).collect(),
            _ => Vec::new(),
        };
        let found = policy.of_request(remote.parse().ok(), connection.as_ref(), header)?;
        Ok(found.map(|shown| shown.der.to_vec()))
    }

    #[test]
    fn only_a_proxy_that_is_listed_says_which_certificate_its_client_has() {
        let policy = behind("10.0.0.0/8");
        let (proxy, stranger) = ("10.1.2.3", "192.0.2.1");
        let header = &[":Y2xpZW50:"][..];
        assert_eq!(seen(&policy, proxy, header, false), Ok(Some(b"client".to_vec())));
        assert_eq!(seen(&policy, proxy, header, true), Ok(Some(b"client".to_vec())), "not the proxy's own");
        assert_eq!(seen(&policy, proxy, &[], true), Ok(None), "not the proxy's own");
        assert_eq!(seen(&policy, "::ffff:10.1.2.3", header, false), Ok(Some(b"client".to_vec())));
        assert_eq!(seen(&policy, stranger, header, false), Ok(None));
        assert_eq!(seen(&policy, stranger, header, true), Ok(Some(b"own".to_vec())));
        assert_eq!(seen(&policy, "", header, false), Ok(None), "no address");
        assert_eq!(seen(&ClientCertificates::none(), proxy, header, false), Ok(None));
        assert_eq!(seen(&ClientCertificates::none(), proxy, header, true), Ok(Some(b"own".to_vec())));
        for wrong in [":Y2xpZW50", "Y2xpZW50", "::", ":not base64:", "", ":Y2xpZW50:, :Y2xpZW50:"] {
            assert_eq!(seen(&policy, proxy, &[wrong], false), Err(UnreadableHeader), "{wrong}");
        }
        assert_eq!(seen(&policy, proxy, &[":YQ==:", ":YQ==:"], false), Err(UnreadableHeader), "two");
    }

    #[test]
    fn a_header_that_is_too_long_is_not_read() {
        let policy = behind("10.0.0.1");
        let long = format!(":{}:", "A".repeat(MAX_HEADER));
        assert!(policy.of_header(&long, "").is_err());
        assert!(policy.of_header(":YQ==:", ":YQ==:, :YQ==:").is_ok());
        assert!(policy.of_header(":YQ==:", "YQ==").is_err());
    }
}
