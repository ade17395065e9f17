use std::sync::Arc;

use service_kit::client_ip::TrustedProxies;
use tonic::{Request, Response, Status};

use super::client_auth::credentials;
use super::status::refuse;
use crate::blocking::Blocking;
use crate::clients::Client;
use crate::context::RequestContext;
use crate::error::Result;
use crate::users::ClientIp;

/// What the calls of clients have in common: who calls, and from where.
#[derive(Clone)]
pub(super) struct Calls {
    pub blocking: Blocking,
    pub proxies: TrustedProxies,
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
            let credentials = credentials(request.metadata())?;
            let client = self.blocking.authenticate(credentials).await?;
            use_case(client, request.into_inner()).await
        };
        answer.await.map(Response::new).map_err(|error| refuse(&error))
    }

    /// Where a call comes from.
    pub(super) fn context<T>(&self, request: &Request<T>) -> RequestContext {
        let user_agent = request.metadata().get("user-agent").and_then(|value| value.to_str().ok());
        RequestContext {
            client_ip: self.client_ip(request),
            unverified_user_agent: user_agent.map(Into::into),
            request_id: request.extensions().get().copied(),
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
}
