//! The two endpoints of sliding tokens.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::errors::{SimpleJwtError, answer};
use super::{login, only_field};
use crate::http::described::{LoginRequest, SimpleJwtProblem, SlidingAnswer, VerifyRequest};
use crate::http::{HttpState, context};

/// Logs a user in with a sliding token; only where they are switched on.
#[utoipa::path(post, path = "/api/token/sliding/", tag = "simplejwt", request_body = LoginRequest,
    responses((status = 200, body = SlidingAnswer), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(in crate::http) async fn obtain_sliding(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let login = login(&request, payload, &state).await?;
    let token = state.blocking.run(move |authority| authority.obtain_sliding(&login)).await?;
    Ok(answer(HttpResponse::Ok()).json(json!({"token": token})))
}

/// Exchanges a sliding token for a later one; only where they are switched on.
#[utoipa::path(post, path = "/api/token/sliding/refresh/", tag = "simplejwt", request_body = VerifyRequest,
    responses((status = 200, body = SlidingAnswer), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(in crate::http) async fn refresh_sliding(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let token = only_field(&request, payload, "token").await?;
    let context = context(&request, &state.proxies);
    let token = state.blocking.run(move |authority| authority.refresh_sliding(&token, &context)).await?;
    Ok(answer(HttpResponse::Ok()).json(json!({"token": token})))
}
