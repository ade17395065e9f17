use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::form::Fields;
use crate::error::{Error, ErrorKind, OAuthFault};
use crate::http::HttpState;
use crate::http::oauth::errors::no_store;
use crate::http::refusal::advise;

/// `GET /oauth2/userinfo` (OpenID Connect Core section 5.3).
#[utoipa::path(get, path = "/oauth2/userinfo", tag = "openid", security(("access_token" = [])),
    responses((status = 200, description = "Claims of the user", body = Object), (status = 401, description = "The token is not valid", body = Object),
        (status = 403, description = "The token does not have the scope `openid`", body = Object), (status = 503, body = Object)))]
pub(in crate::http) async fn userinfo(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    answer(&state, bearer(&request)).await
}

/// `POST /oauth2/userinfo`, with the token in the header or in the body (RFC 6750 section 2.2).
#[utoipa::path(post, path = "/oauth2/userinfo", tag = "openid", security(("access_token" = [])),
    responses((status = 200, description = "Claims of the user", body = Object), (status = 401, description = "The token is not valid", body = Object)))]
pub(in crate::http) async fn userinfo_by_post(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let in_header = bearer(&request);
    let in_body =
        Fields::read(&request, payload).await.ok().and_then(|mut fields| fields.take_some("access_token"));
    if in_header.is_some() && in_body.is_some() {
        let body = json!({"error": "invalid_request", "error_description": "the token is sent in two ways"});
        return no_store(HttpResponse::BadRequest()).json(body);
    }
    answer(&state, in_header.or(in_body)).await
}

async fn answer(state: &HttpState, token: Option<String>) -> HttpResponse {
    let Some(token) = token else {
        // No token, no error code (RFC 6750 section 3.1).
        let mut response = no_store(HttpResponse::Unauthorized());
        return response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"signet\"")).finish();
    };
    match state.blocking.run(move |authority| authority.userinfo(&token)).await {
        Ok(claims) => no_store(HttpResponse::Ok()).json(claims),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> HttpResponse {
    let (status, code, challenge, description) = match error.kind {
        ErrorKind::OAuth(OAuthFault::InvalidScope) => (
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "Bearer realm=\"signet\", error=\"insufficient_scope\", scope=\"openid\"",
            "the token does not have the scope `openid`",
        ),
        ErrorKind::Internal => {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "Bearer", "internal server error")
        }
        ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::TooManyAttempts(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "Bearer",
            "the database is unavailable, try again later",
        ),
        ErrorKind::InvalidRequest(_)
        | ErrorKind::OAuth(_)
        | ErrorKind::SignIn(_)
        | ErrorKind::Token(_)
        | ErrorKind::Account(_)
        | ErrorKind::Admin(_) => (
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "Bearer realm=\"signet\", error=\"invalid_token\"",
            "the access token is not valid",
        ),
    };
    let mut response = no_store(HttpResponse::build(status));
    advise(&mut response, status, Some(error), challenge);
    if status == StatusCode::FORBIDDEN {
        response.insert_header((header::WWW_AUTHENTICATE, challenge));
    }
    response.json(json!({"error": code, "error_description": description}))
}

/// RFC 6750 section 2.1.
fn bearer(request: &HttpRequest) -> Option<String> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let (Some(header), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.trim().to_owned())
}
