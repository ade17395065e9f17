use signet_proto::auth::v1::login_service_server::LoginService;
use signet_proto::auth::v1::{
    AuthorizeDeviceRequest, BrowserSession, DeviceCodes, EndBrowserSessionRequest, EndBrowserSessionResponse,
    ListBrowserSessionsRequest, ListBrowserSessionsResponse, LoginTokens, RedeemCodeRequest,
    RedeemDeviceCodeRequest,
};
use tonic::{Request, Response, Status};

use super::calls::Calls;
use super::messages::given;
use crate::authority::Authority;
use crate::authority::grants::{AuthorizationCodeGrant, DeviceAuthorization, Grant};
use crate::authority::tokens::IssuedTokens;
use crate::secret::PlainSecret;
use crate::storage::BrowserSessionSummary;

/// `signet.auth.v1.LoginService`.
pub(super) struct LoginEndpoints {
    calls: Calls,
    issuer: String,
}

impl LoginEndpoints {
    pub(super) fn new(calls: Calls, issuer: String) -> Self {
        Self { calls, issuer }
    }
}

#[tonic::async_trait]
impl LoginService for LoginEndpoints {
    async fn redeem_code(
        &self,
        request: Request<RedeemCodeRequest>,
    ) -> std::result::Result<Response<LoginTokens>, Status> {
        let context = self.calls.context(&request);
        self.calls
            .call(request, |client, message| async move {
                let grant = Grant::AuthorizationCode(Box::new(AuthorizationCodeGrant {
                    unverified_code: message.code,
                    redirect_uri: given(message.redirect_uri),
                    verifier: given(message.code_verifier).map(PlainSecret::new),
                    context,
                }));
                self.calls.blocking.call(|authority| authority.grant(client, grant)).await.map(tokens)
            })
            .await
    }

    async fn authorize_device(
        &self,
        request: Request<AuthorizeDeviceRequest>,
    ) -> std::result::Result<Response<DeviceCodes>, Status> {
        let context = self.calls.context(&request);
        self.calls
            .call(request, |client, message| async move {
                let (scope, audience) = (given(message.scope), given(message.audience));
                let asked = DeviceAuthorization { scope, audience, context };
                let begun =
                    self.calls.blocking.run(move |authority| authority.authorize_device(&client, &asked));
                let codes = begun.await?;
                let page = format!("{}/device", self.issuer);
                Ok(DeviceCodes {
                    device_code: codes.device_code.expose().to_owned(),
                    verification_uri_complete: format!("{page}?user_code={}", codes.user_code),
                    verification_uri: page,
                    user_code: codes.user_code,
                    expires_in: codes.expires_in.as_secs(),
                    interval: codes.interval.as_secs(),
                })
            })
            .await
    }

    async fn redeem_device_code(
        &self,
        request: Request<RedeemDeviceCodeRequest>,
    ) -> std::result::Result<Response<LoginTokens>, Status> {
        let context = self.calls.context(&request);
        self.calls
            .call(request, |client, message| async move {
                let device_code = PlainSecret::new(message.device_code);
                let grant = Grant::DeviceCode { device_code, context };
                self.calls.blocking.call(|authority| authority.grant(client, grant)).await.map(tokens)
            })
            .await
    }

    async fn list_browser_sessions(
        &self,
        request: Request<ListBrowserSessionsRequest>,
    ) -> std::result::Result<Response<ListBrowserSessionsResponse>, Status> {
        self.calls
            .call(request, |client, message| async move {
                let list =
                    move |authority: &Authority| authority.browser_sessions_for(&client, &message.user_id);
                let found = self.calls.blocking.run(list).await?;
                let browser_sessions = found.into_iter().map(shown).collect();
                Ok(ListBrowserSessionsResponse { browser_sessions })
            })
            .await
    }

    async fn end_browser_session(
        &self,
        request: Request<EndBrowserSessionRequest>,
    ) -> std::result::Result<Response<EndBrowserSessionResponse>, Status> {
        let context = self.calls.context(&request);
        self.calls
            .call(request, |client, message| async move {
                let EndBrowserSessionRequest { user_id, browser_session_id } = message;
                let end = move |authority: &Authority| {
                    authority.end_browser_session_for(&client, &user_id, &browser_session_id, &context)
                };
                Ok(EndBrowserSessionResponse { was_live: self.calls.blocking.run(end).await? })
            })
            .await
    }
}

fn shown(session: BrowserSessionSummary) -> BrowserSession {
    BrowserSession {
        expires_at: session.expires_at_seconds(),
        id: session.id,
        device: session.device.unwrap_or_default(),
        auth_time: session.auth_time / 1000,
    }
}

fn tokens(issued: IssuedTokens) -> LoginTokens {
    LoginTokens {
        token_type: issued.token_type().to_owned(),
        access_token: issued.access_token,
        refresh_token: issued.refresh_token.unwrap_or_default(),
        id_token: issued.id_token.unwrap_or_default(),
        expires_in: issued.expires_in,
        scope: issued.scope,
    }
}
