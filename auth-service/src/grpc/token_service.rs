use std::net::IpAddr;
use std::sync::Arc;

use service_kit::client_ip::TrustedProxies;
use signet_proto::auth::v1::token_service_server::TokenService;
use signet_proto::auth::v1::{
    ClientToken, IntrospectRequest, IntrospectResponse, IssueClientTokenRequest, ObtainPairRequest,
    RefreshRequest, RevokeRequest, RevokeResponse, TokenPair, VerifyRequest, VerifyResponse,
};
use tonic::{Request, Response, Status};

use super::client_auth::credentials;
use super::messages::{given, introspection, pair};
use super::status::refuse;
use crate::authority::Authority;
use crate::authority::grants::{Grant, PasswordGrant, RefreshGrant};
use crate::authority::sign_in::PasswordCredentials;
use crate::blocking::Blocking;
use crate::clients::Client;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::secret::PlainSecret;
use crate::users::ClientIp;

/// `signet.auth.v1.TokenService`.
pub(super) struct TokenEndpoints {
    blocking: Blocking,
    proxies: TrustedProxies,
}

impl TokenEndpoints {
    pub(super) fn new(blocking: Blocking, proxies: TrustedProxies) -> Self {
        Self { blocking, proxies }
    }

    /// Authenticates the caller and runs the use case.
    async fn call<T, A, F>(
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
    fn context<T>(&self, request: &Request<T>) -> RequestContext {
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

/// The IP of the user on whose behalf a client calls, as the client says: it may log users in, and knows where they are.
fn user_ip(client_ip: &str, caller: Option<ClientIp>) -> Result<Option<ClientIp>> {
    if client_ip.is_empty() {
        return Ok(caller);
    }
    let address: IpAddr =
        client_ip.parse().map_err(|_| Error::invalid_request("`client_ip` is not an IP address"))?;
    Ok(Some(address.into()))
}

#[tonic::async_trait]
impl TokenService for TokenEndpoints {
    async fn obtain_pair(
        &self,
        request: Request<ObtainPairRequest>,
    ) -> std::result::Result<Response<TokenPair>, Status> {
        let context = self.context(&request);
        self.call(request, |client, message| async move {
            let client_ip = user_ip(&message.client_ip, context.client_ip)?;
            let grant = Grant::Password(Box::new(PasswordGrant {
                credentials: PasswordCredentials {
                    unverified_username: message.username,
                    password: PlainSecret::new(message.password),
                    otp: given(message.otp).map(PlainSecret::new),
                },
                context: RequestContext { client_ip, ..context },
                scope: given(message.scope),
                audience: given(message.audience),
            }));
            self.blocking.call(|authority| authority.grant(client, grant)).await.map(pair)
        })
        .await
    }

    async fn refresh(
        &self,
        request: Request<RefreshRequest>,
    ) -> std::result::Result<Response<TokenPair>, Status> {
        let context = self.context(&request);
        self.call(request, |client, message| async {
            let (unverified_token, scope) = (message.refresh_token, given(message.scope));
            let grant = Grant::RefreshToken(RefreshGrant { unverified_token, scope, context });
            self.blocking.call(|authority| authority.grant(client, grant)).await.map(pair)
        })
        .await
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> std::result::Result<Response<VerifyResponse>, Status> {
        self.call(request, |_, message| async {
            self.blocking.call(|authority| authority.verify_token(message.token)).await?;
            Ok(VerifyResponse {})
        })
        .await
    }

    async fn revoke(
        &self,
        request: Request<RevokeRequest>,
    ) -> std::result::Result<Response<RevokeResponse>, Status> {
        let context = self.context(&request);
        self.call(request, |client, message| async {
            let revoke =
                move |authority: &Authority| authority.revoke_token(&client, &message.token, &context);
            self.blocking.run(revoke).await?;
            Ok(RevokeResponse {})
        })
        .await
    }

    async fn issue_client_token(
        &self,
        request: Request<IssueClientTokenRequest>,
    ) -> std::result::Result<Response<ClientToken>, Status> {
        self.call(request, |client, message| async {
            let grant =
                Grant::ClientCredentials { scope: given(message.scope), audience: given(message.audience) };
            let issued = self.blocking.call(|authority| authority.grant(client, grant)).await?;
            Ok(ClientToken {
                access_token: issued.access_token,
                expires_in: issued.expires_in,
                scope: issued.scope,
            })
        })
        .await
    }

    async fn introspect(
        &self,
        request: Request<IntrospectRequest>,
    ) -> std::result::Result<Response<IntrospectResponse>, Status> {
        self.call(request, |client, message| async move {
            let asked = self.blocking.call(|authority| authority.introspect(&client, &message.token));
            asked.await.map(introspection)
        })
        .await
    }
}
