//! Credentials of a request as the crate `http` has it, over HTTP and gRPC: a call is a POST to `/package.Service/Method`, and a proof
//! is made for that.

use http::Request;
use http::header::AUTHORIZATION;

use crate::binding::ClientCertificate;
use crate::credentials::Credentials;
use crate::dpop::ProofHeader;

pub(crate) fn credentials_of<B>(request: &Request<B>) -> Credentials<'_, impl Iterator<Item = &str>> {
    // A header that is no visible ASCII becomes a malformed one, not an absent one.
    let headers = request.headers().get_all(AUTHORIZATION).iter();
    let headers = headers.map(|value| value.to_str().unwrap_or("Bearer"));
    let proofs = request.headers().get_all("dpop").iter();
    let proofs = ProofHeader::of(proofs.map(|value| value.to_str().unwrap_or_default()));
    Credentials::new(headers)
        .with_certificate(request.extensions().get::<ClientCertificate>().copied())
        .with_proof(proofs, request.method().as_str(), request.uri().path())
}
