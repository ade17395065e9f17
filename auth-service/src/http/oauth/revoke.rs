use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::client_auth;
use super::errors::{OAuthError, no_store};
use super::token::subject_token;
use crate::http::described::{OAuthProblem, TokenQuestion};
use crate::http::{HttpState, context};

/// `POST /oauth2/revoke` (RFC 7009 section 2): 200, also for an unknown token. The body says nothing; it is there for
/// client libraries that parse every answer as JSON.
#[utoipa::path(post, path = "/oauth2/revoke", tag = "oauth", security(("client" = [])),
    request_body(content = TokenQuestion, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "Revoked, or unknown"), (status = 400, body = OAuthProblem), (status = 401, description = "The client is not authenticated", body = OAuthProblem),
        (status = 405, body = OAuthProblem), (status = 413, body = OAuthProblem), (status = 415, body = OAuthProblem),
        (status = 429, body = OAuthProblem), (status = 503, body = OAuthProblem)))]
pub(in crate::http) async fn revoke(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, OAuthError> {
    let (parameters, credentials) = client_auth::read(&request, payload, &state).await?;
    let client = state.blocking.authenticate(credentials).await?;
    let token = subject_token(&parameters)?;
    let context = context(&request, &state.proxies);
    state.blocking.run(move |authority| authority.revoke_token(&client, &token, &context)).await?;
    Ok(no_store(HttpResponse::Ok()).json(json!({})))
}
