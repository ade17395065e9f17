use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::client_auth;
use super::errors::{OAuthError, no_store};
use super::parameters::Parameters;
use super::target::audience;
use super::token_exchange;
use crate::authority::grants::{
    AuthorizationCodeGrant, ClientCredentialsGrant, Grant, RefreshGrant, TOKEN_EXCHANGE,
};
use crate::authority::tokens::IssuedTokens;
use crate::context::RequestContext;
use crate::error::{Error, OAuthFault};
use crate::http::described::{OAuthProblem, TokenRequest};
use crate::http::{HttpState, context, sender_proof};
use crate::secret::PlainSecret;

/// `POST /oauth2/token` (RFC 6749 section 3.2).
#[utoipa::path(post, path = "/oauth2/token", tag = "oauth", security(("client" = [])),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = TokenResponse), (status = 400, body = OAuthProblem), (status = 401, description = "The client is not authenticated", body = OAuthProblem),
        (status = 405, body = OAuthProblem), (status = 413, body = OAuthProblem), (status = 415, body = OAuthProblem),
        (status = 429, body = OAuthProblem), (status = 503, body = OAuthProblem)))]
pub(in crate::http) async fn token(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let mut answer = match issue(&request, payload, &state).await {
        Ok(issued) => no_store(HttpResponse::Ok()).json(TokenResponse::from(issued)),
        Err(error) => error.error_response(),
    };
    // With each answer, so that the next proof names one that is good (RFC 9449 section 8.2).
    if let Some(nonce) = state.authority.dpop_nonce().and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        answer.headers_mut().insert(HeaderName::from_static("dpop-nonce"), nonce);
    }
    answer
}

async fn issue(
    request: &HttpRequest,
    payload: Payload,
    state: &HttpState,
) -> Result<IssuedTokens, OAuthError> {
    let (parameters, credentials) = client_auth::read(request, payload, state).await?;
    // The client first: who it is must be known before anything is said about the rest.
    let client = state.blocking.authenticate(credentials).await?;
    let grant = grant(&parameters, request, state)?;
    Ok(state.blocking.call(|authority| authority.grant(client, grant)).await?)
}

/// The answer (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    /// After an exchange (RFC 8693 section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    /// Seconds.
    expires_in: u64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl From<IssuedTokens> for TokenResponse {
    fn from(issued: IssuedTokens) -> Self {
        Self {
            token_type: issued.token_type(),
            issued_token_type: issued.issued_token_type,
            access_token: issued.access_token,
            expires_in: issued.expires_in,
            scope: issued.scope,
            refresh_token: issued.refresh_token,
            id_token: issued.id_token,
        }
    }
}

fn grant(parameters: &Parameters, request: &HttpRequest, state: &HttpState) -> Result<Grant, Error> {
    let scope = parameters.owned("scope");
    let sender = sender_proof(request, &state.certificates)?;
    let required =
        |name: &str, missing| parameters.owned(name).ok_or_else(|| Error::invalid_request(missing));
    let grant = match parameters.get("grant_type") {
        None => return Err(Error::invalid_request("the parameter `grant_type` is missing")),
        Some("client_credentials") => {
            let audience = audience(parameters)?;
            return Ok(Grant::ClientCredentials(ClientCredentialsGrant { scope, audience, sender }));
        }
        Some(grant) => grant,
    };
    let context = RequestContext { sender, ..context(request, &state.proxies) };
    match grant {
        "authorization_code" => code_grant(parameters, context),
        "urn:ietf:params:oauth:grant-type:device_code" => {
            let device_code = required("device_code", "the parameter `device_code` is missing")?;
            Ok(Grant::DeviceCode { device_code: PlainSecret::new(device_code), context })
        }
        "refresh_token" => {
            let unverified_token = required("refresh_token", "the parameter `refresh_token` is missing")?;
            Ok(Grant::RefreshToken(RefreshGrant { unverified_token, scope, context }))
        }
        TOKEN_EXCHANGE => token_exchange::grant(parameters, context),
        _ => Err(Error::new(OAuthFault::UnsupportedGrantType, "the grant type is not offered")),
    }
}

/// RFC 6749 section 4.1.3, RFC 7636 section 4.5.
fn code_grant(parameters: &Parameters, context: RequestContext) -> Result<Grant, Error> {
    let unverified_code =
        parameters.owned("code").ok_or_else(|| Error::invalid_request("the parameter `code` is missing"))?;
    Ok(Grant::AuthorizationCode(Box::new(AuthorizationCodeGrant {
        unverified_code,
        redirect_uri: parameters.owned("redirect_uri"),
        verifier: parameters.owned("code_verifier").map(PlainSecret::new),
        context,
    })))
}

/// The token that introspection and revocation are about.
pub(super) fn subject_token(parameters: &Parameters) -> Result<String, Error> {
    parameters.owned("token").ok_or_else(|| Error::invalid_request("the parameter `token` is missing"))
}
