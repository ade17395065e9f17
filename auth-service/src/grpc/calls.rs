use std::sync::Arc;

use service_kit::client_certificates::ClientCertificates;
use service_kit::client_ip::TrustedProxies;
use service_kit::grpc::CallPath;
use shared_claims::ProofHeader;
use tonic::{Request, Response, Status};

use super::client_auth::{certificate, credentials};
use super::status::refuse;
use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::clients::Client;
use crate::context::RequestContext;
use crate::error::Result;
use crate::sender_proof::{SenderProof, UnverifiedProof};
use crate::users::ClientIp;

/// The nonce that the next proof has to name, where one is asked for; as the header over HTTP (RFC 9449 section 8.2).
const NONCE: &str = "dpop-nonce";

/// What the calls of clients have in common: who calls, and from where.
#[derive(Clone)]
pub(super) struct Calls {
    pub authority: Arc<Authority>,
    pub blocking: Blocking,
    pub proxies: TrustedProxies,
    pub certificates: ClientCertificates,
}

impl Calls {
    /// Authenticates the caller and runs the use case.
    pub(super) async fn call<T, A, F>(
        &self,
        request: Request<T>,
        use_case: impl FnOnce(Arc<Client>, T) -> F,
    ) -> std::result::Result<Response<A>, Status>
    where
        F: Future<Output = Result<A>>,
    {
        let answer = async {
            let credentials = credentials(&request, &self.certificates)?;
            let client = self.blocking.authenticate(credentials).await?;
            use_case(client, request.into_inner()).await
        };
        let nonce = self.authority.dpop_nonce().and_then(|nonce| nonce.parse().ok());
        match answer.await {
            Ok(answer) => {
                let mut response = Response::new(answer);
                if let Some(nonce) = nonce {
                    response.metadata_mut().insert(NONCE, nonce);
                }
                Ok(response)
            }
            Err(error) => {
                let mut status = refuse(&error);
                if let Some(nonce) = nonce {
                    status.metadata_mut().insert(NONCE, nonce);
                }
                Err(status)
            }
        }
    }

    /// Where a call comes from.
    pub(super) fn context<T>(&self, request: &Request<T>) -> RequestContext {
        let user_agent = request.metadata().get("user-agent").and_then(|value| value.to_str().ok());
        RequestContext {
            client_ip: self.client_ip(request),
            unverified_user_agent: user_agent.map(Into::into),
            request_id: request.extensions().get().copied(),
            sender: self.sender_proof(request),
        }
    }

    /// The client IP of a call, past the proxies that are trusted.
    fn client_ip<T>(&self, request: &Request<T>) -> Option<ClientIp> {
        let remote = request.remote_addr()?.ip();
        let forwarded = || {
            let values = request.metadata().get_all("x-forwarded-for").iter();
            values.filter_map(|value| value.to_str().ok())
        };
        let forwards = self.proxies.is_forwarded_by_stranger(remote, forwarded());
        Some(ClientIp { address: self.proxies.caller(remote, forwarded()), forwards })
    }

    /// What a call shows of who may use its token, or the one that it asks for: over HTTP it is a POST to `/package.Service/Method`, and
    /// a proof is made for that.
    pub(super) fn sender_proof<T>(&self, request: &Request<T>) -> SenderProof {
        let path = request.extensions().get::<CallPath>();
        let unverified_proof = path.map(|CallPath(path)| {
            let proofs = request.metadata().get_all("dpop").iter();
            Arc::new(UnverifiedProof {
                header: ProofHeader::of(proofs.map(|value| value.to_str().unwrap_or_default())).into_owned(),
                method: "POST".to_owned(),
                path: path.to_string(),
            })
        });
        // A call with a header that cannot be read is refused with its credentials.
        let certificate = certificate(request, &self.certificates).unwrap_or_default();
        SenderProof { unverified_proof, certificate }
    }
}
