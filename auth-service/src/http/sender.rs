//! Who has sent a request, as far as it shows.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};
use service_kit::client_certificates::{ClientCertificates, ShownCertificate, UnreadableHeader};
use service_kit::client_ip::TrustedProxies;
use shared_claims::ProofHeader;

use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::sender_proof::{SenderProof, UnverifiedProof};
use crate::users::ClientIp;

/// The client IP of a request, past the proxies that are trusted.
pub(super) fn client_ip(request: &HttpRequest, proxies: &TrustedProxies) -> Option<ClientIp> {
    let remote = request.peer_addr()?.ip();
    let forwarded = || request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let forwards = proxies.is_forwarded_by_stranger(remote, forwarded());
    Some(ClientIp { address: proxies.caller(remote, forwarded()), forwards })
}

/// Where a request comes from. What it shows of its sender is read where tokens can be bound ([`sender_proof`]).
pub(super) fn context(request: &HttpRequest, proxies: &TrustedProxies) -> RequestContext {
    let user_agent = request.headers().get(header::USER_AGENT);
    RequestContext {
        client_ip: client_ip(request, proxies),
        unverified_user_agent: user_agent.and_then(|value| value.to_str().ok()).map(Into::into),
        request_id: request.extensions().get().copied(),
        sender: SenderProof::default(),
    }
}

/// The certificate that the sender of a request has shown, in the handshake or through a proxy.
///
/// # Errors
/// `invalid_request` for a header of a proxy that cannot be read.
pub(super) fn certificate(
    request: &HttpRequest,
    certificates: &ClientCertificates,
) -> Result<Option<Arc<ShownCertificate>>> {
    let remote = request.peer_addr().map(|address| address.ip());
    let header = |name| request.headers().get_all(name).map(|value| value.to_str().ok()).collect();
    let found = certificates.of_request(remote, request.conn_data::<Arc<ShownCertificate>>(), header);
    found.map_err(|UnreadableHeader| Error::invalid_request("`Client-Cert` is not as RFC 9440 has it"))
}

/// What a request shows of who may use its token, or the one that it asks for.
///
/// # Errors
/// As [`certificate`].
pub(super) fn sender_proof(request: &HttpRequest, certificates: &ClientCertificates) -> Result<SenderProof> {
    let mut proofs =
        request.headers().get_all("dpop").map(|value| value.to_str().unwrap_or_default()).peekable();
    let unverified_proof = proofs.peek().is_some().then(|| {
        Arc::new(UnverifiedProof {
            header: ProofHeader::of(proofs).into_owned(),
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
        })
    });
    Ok(SenderProof { unverified_proof, certificate: certificate(request, certificates)? })
}
