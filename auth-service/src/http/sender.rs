//! Who has sent a request, as far as it shows.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpMessage, HttpRequest};
use service_kit::client_ip::TrustedProxies;
use shared_claims::{ClientCertificate, ProofHeader};

use crate::context::{Holder, RequestContext, UnverifiedProof};
use crate::users::ClientIp;

/// The client IP of a request, past the proxies that are trusted.
pub(super) fn client_ip(request: &HttpRequest, proxies: &TrustedProxies) -> Option<ClientIp> {
    let remote = request.peer_addr()?.ip();
    let forwarded = || request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let forwards = proxies.is_forwarded_by_stranger(remote, forwarded());
    Some(ClientIp { address: proxies.caller(remote, forwarded()), forwards })
}

/// Where a request comes from. What it shows of its token's holder is read where tokens can be bound ([`holder`]).
pub(super) fn context(request: &HttpRequest, proxies: &TrustedProxies) -> RequestContext {
    let user_agent = request.headers().get(header::USER_AGENT);
    RequestContext {
        client_ip: client_ip(request, proxies),
        unverified_user_agent: user_agent.and_then(|value| value.to_str().ok()).map(Into::into),
        request_id: request.extensions().get().copied(),
        holder: Holder::default(),
    }
}

/// What a request shows of who holds its token, or will hold the one that it asks for.
pub(super) fn holder(request: &HttpRequest) -> Holder {
    let mut proofs =
        request.headers().get_all("dpop").map(|value| value.to_str().unwrap_or_default()).peekable();
    let unverified_proof = proofs.peek().is_some().then(|| {
        Arc::new(UnverifiedProof {
            header: ProofHeader::of(proofs).into_owned(),
            method: request.method().as_str().to_owned(),
            path: request.uri().path().to_owned(),
        })
    });
    Holder { unverified_proof, certificate: request.conn_data::<ClientCertificate>().copied() }
}
