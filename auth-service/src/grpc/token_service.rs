use std::net::IpAddr;

use signet_proto::auth::v1::token_service_server::TokenService;
use signet_proto::auth::v1::{
    ClientToken, ExchangeTokenRequest, IntrospectRequest, IntrospectResponse, IssueClientTokenRequest,
    ObtainPairRequest, RefreshRequest, RevokeRequest, RevokeResponse, TokenPair, VerifyRequest,
    VerifyResponse,
};
use tonic::{Request, Response, Status};

use super::calls::Calls;
use super::messages::{client_token, given, introspection, pair};
use crate::authority::Authority;
use crate::authority::grants::{
    ClientCredentialsGrant, Grant, PasswordGrant, RefreshGrant, TokenExchangeGrant,
};
use crate::authority::sign_in::PasswordCredentials;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::secret::PlainSecret;
use crate::users::ClientIp;

/// `signet.auth.v1.TokenService`.
pub(super) struct TokenEndpoints(Calls);

impl TokenEndpoints {
    pub(super) fn new(calls: Calls) -> Self {
        Self(calls)
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
        let context = self.0.context(&request);
        self.0
            .call(request, |client, message| async move {
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
                self.0.blocking.call(|authority| authority.grant(client, grant)).await.map(pair)
            })
            .await
    }

    async fn refresh(
        &self,
        request: Request<RefreshRequest>,
    ) -> std::result::Result<Response<TokenPair>, Status> {
        let context = self.0.context(&request);
        self.0
            .call(request, |client, message| async {
                let (unverified_token, scope) = (message.refresh_token, given(message.scope));
                let grant = Grant::RefreshToken(RefreshGrant { unverified_token, scope, context });
                self.0.blocking.call(|authority| authority.grant(client, grant)).await.map(pair)
            })
            .await
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> std::result::Result<Response<VerifyResponse>, Status> {
        self.0
            .call(request, |_, message| async {
                self.0.blocking.call(|authority| authority.verify_token(message.token)).await?;
                Ok(VerifyResponse {})
            })
            .await
    }

    async fn revoke(
        &self,
        request: Request<RevokeRequest>,
    ) -> std::result::Result<Response<RevokeResponse>, Status> {
        let context = self.0.context(&request);
        self.0
            .call(request, |client, message| async {
                let revoke =
                    move |authority: &Authority| authority.revoke_token(&client, &message.token, &context);
                self.0.blocking.run(revoke).await?;
                Ok(RevokeResponse {})
            })
            .await
    }

    async fn issue_client_token(
        &self,
        request: Request<IssueClientTokenRequest>,
    ) -> std::result::Result<Response<ClientToken>, Status> {
        let sender = self.0.sender_proof(&request);
        self.0
            .call(request, |client, message| async {
                let (scope, audience) = (given(message.scope), given(message.audience));
                let grant = Grant::ClientCredentials(ClientCredentialsGrant { scope, audience, sender });
                self.0.blocking.call(|authority| authority.grant(client, grant)).await.map(client_token)
            })
            .await
    }

    async fn exchange_token(
        &self,
        request: Request<ExchangeTokenRequest>,
    ) -> std::result::Result<Response<ClientToken>, Status> {
        let context = self.0.context(&request);
        self.0
            .call(request, |client, message| async {
                let grant = Grant::TokenExchange(Box::new(TokenExchangeGrant {
                    unverified_subject_token: message.subject_token,
                    unverified_actor_token: given(message.actor_token),
                    scope: given(message.scope),
                    audience: given(message.audience),
                    context,
                }));
                self.0.blocking.call(|authority| authority.grant(client, grant)).await.map(client_token)
            })
            .await
    }

    async fn introspect(
        &self,
        request: Request<IntrospectRequest>,
    ) -> std::result::Result<Response<IntrospectResponse>, Status> {
        self.0
            .call(request, |client, message| async move {
                let asked = self.0.blocking.call(|authority| authority.introspect(&client, &message.token));
                asked.await.map(introspection)
            })
            .await
    }
}
