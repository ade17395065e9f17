use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::client_auth;
use super::errors::{OAuthError, no_store};
use super::token::subject_token;
use crate::authority::tokens::Introspection;
use crate::http::HttpState;
use crate::http::described::{IntrospectionAnswer, OAuthProblem, TokenQuestion};

/// `POST /oauth2/introspect` (RFC 7662 section 2).
#[utoipa::path(post, path = "/oauth2/introspect", tag = "oauth", security(("client" = [])),
    request_body(content = TokenQuestion, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = IntrospectionAnswer), (status = 400, body = OAuthProblem), (status = 401, description = "The client is not authenticated", body = OAuthProblem),
        (status = 405, body = OAuthProblem), (status = 413, body = OAuthProblem), (status = 415, body = OAuthProblem),
        (status = 429, body = OAuthProblem), (status = 503, body = OAuthProblem)))]
pub(in crate::http) async fn introspect(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, OAuthError> {
    let (parameters, credentials) = client_auth::read(&request, payload, &state).await?;
    let client = state.blocking.authenticate(credentials).await?;
    let token = subject_token(&parameters)?;
    let answer = state.blocking.call(|authority| authority.introspect(&client, &token)).await?;
    Ok(match answer {
        Introspection::Inactive => no_store(HttpResponse::Ok()).json(json!({"active": false})),
        Introspection::Active(token) => no_store(HttpResponse::Ok()).json(token),
    })
}
