use std::sync::Arc;
use std::time::Instant;

use signet_proto::auth::v1::token_service_server::TokenService;
use signet_proto::auth::v1::{
    ClientToken, IntrospectRequest, IntrospectResponse, IssueClientTokenRequest, ObtainPairRequest,
    RefreshRequest, RevokeRequest, RevokeResponse, TokenPair, VerifyRequest, VerifyResponse,
};
use tonic::{Request, Response, Status};
use tracing::{Instrument, info_span};
use uuid::Uuid;

use super::client_auth::credentials;
use super::status::refuse;
use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::clients::Client;
use crate::error::Result;
use crate::grants::PasswordLogin;
use crate::secret::PlainSecret;
use crate::tokens::{Introspection, IssuedTokens};

/// `signet.auth.v1.TokenService`.
pub struct TokenServiceEdge {
    authority: Arc<Authority>,
    blocking: Blocking,
}

impl TokenServiceEdge {
    pub fn new(authority: Arc<Authority>, blocking: Blocking) -> Self {
        Self { authority, blocking }
    }

    /// Authenticates the caller and runs the use case, off the event loop.
    async fn call<T, A>(
        &self,
        method: &'static str,
        request: Request<T>,
        use_case: impl FnOnce(&Authority, Arc<Client>, T) -> Result<A> + Send + 'static,
    ) -> std::result::Result<Response<A>, Status>
    where
        T: Send + 'static,
        A: Send + 'static,
    {
        let span = info_span!("request", id = %Uuid::new_v4(), mouth = "grpc", method);
        async {
            let started = Instant::now();
            let authority = Arc::clone(&self.authority);
            let credentials = credentials(request.metadata());
            let message = request.into_inner();
            let outcome = self
                .blocking
                .run(move || {
                    let client = authority.authenticate_client(&credentials?)?;
                    use_case(&authority, client, message)
                })
                .await;
            let answer = outcome.map(Response::new).map_err(|error| refuse(&error));
            let code = answer.as_ref().err().map_or(tonic::Code::Ok, Status::code);
            let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(status = ?code, took_us, "answered");
            answer
        }
        .instrument(span)
        .await
    }
}

#[tonic::async_trait]
impl TokenService for TokenServiceEdge {
    async fn obtain_pair(
        &self,
        request: Request<ObtainPairRequest>,
    ) -> std::result::Result<Response<TokenPair>, Status> {
        self.call("ObtainPair", request, |authority, client, message| {
            let login = PasswordLogin {
                client,
                unverified_username: message.username,
                password: PlainSecret::new(message.password),
                scope: given(message.scope),
                audience: given(message.audience),
            };
            authority.obtain_pair(&login).map(pair)
        })
        .await
    }

    async fn refresh(
        &self,
        request: Request<RefreshRequest>,
    ) -> std::result::Result<Response<TokenPair>, Status> {
        self.call("Refresh", request, |authority, client, message| {
            authority.refresh(&client, &message.refresh_token, given(message.scope).as_deref()).map(pair)
        })
        .await
    }

    async fn verify(
        &self,
        request: Request<VerifyRequest>,
    ) -> std::result::Result<Response<VerifyResponse>, Status> {
        self.call("Verify", request, |authority, _, message| {
            authority.verify_token(&message.token).map(|()| VerifyResponse {})
        })
        .await
    }

    async fn revoke(
        &self,
        request: Request<RevokeRequest>,
    ) -> std::result::Result<Response<RevokeResponse>, Status> {
        self.call("Revoke", request, |authority, client, message| {
            authority.revoke_token(&client, &message.token).map(|()| RevokeResponse {})
        })
        .await
    }

    async fn issue_client_token(
        &self,
        request: Request<IssueClientTokenRequest>,
    ) -> std::result::Result<Response<ClientToken>, Status> {
        self.call("IssueClientToken", request, |authority, client, message| {
            let (scope, audience) = (given(message.scope), given(message.audience));
            let issued = authority.issue_client_token(&client, scope.as_deref(), audience.as_deref())?;
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
        self.call("Introspect", request, |authority, client, message| {
            authority.introspect(&client, &message.token).map(introspection)
        })
        .await
    }
}

/// proto3 has no absent text: an empty one is not given.
fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn pair(issued: IssuedTokens) -> TokenPair {
    TokenPair {
        access_token: issued.access_token,
        refresh_token: issued.refresh_token.unwrap_or_default(),
        expires_in: issued.expires_in,
        scope: issued.scope,
    }
}

fn introspection(answer: Introspection) -> IntrospectResponse {
    match answer {
        Introspection::Inactive => IntrospectResponse::default(),
        Introspection::Active(token) => IntrospectResponse {
            active: true,
            token_type: token.token_type.to_owned(),
            scope: token.scope,
            client_id: token.client_id,
            username: token.username.unwrap_or_default(),
            sub: token.sub,
            aud: token.aud,
            iss: token.iss,
            jti: token.jti,
            exp: token.exp,
            iat: token.iat,
        },
    }
}
