use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;
use shared_claims::bearer::{Scheme, unverified_token};
use shared_claims::dpop::PROOF_ALGORITHMS;

use super::form::Fields;
use crate::authority::tokens::PresentedToken;
use crate::error::{Error, ErrorKind, OAuthFault, Result};
use crate::http::oauth::errors::no_store;
use crate::http::refusal::advise;
use crate::http::{HttpState, sender_proof};

/// `GET /oauth2/userinfo` (OpenID Connect Core section 5.3).
#[utoipa::path(get, path = "/oauth2/userinfo", tag = "openid", security(("access_token" = [])),
    responses((status = 200, description = "Claims of the user", body = Object), (status = 401, description = "The token is not valid", body = Object),
        (status = 403, description = "The token does not have the scope `openid`", body = Object), (status = 503, body = Object)))]
pub(in crate::http) async fn userinfo(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match presented(&request, &state) {
        Ok(presented) => answer(&state, presented).await,
        Err(error) => refused(&error, Scheme::Bearer),
    }
}

/// `POST /oauth2/userinfo`, with the token in the header or in the body (RFC 6750 section 2.2).
#[utoipa::path(post, path = "/oauth2/userinfo", tag = "openid", security(("access_token" = [])),
    responses((status = 200, description = "Claims of the user", body = Object), (status = 401, description = "The token is not valid", body = Object)))]
pub(in crate::http) async fn userinfo_by_post(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let in_header = match presented(&request, &state) {
        Ok(presented) => presented,
        Err(error) => return refused(&error, Scheme::Bearer),
    };
    let in_body =
        Fields::read(&request, payload).await.ok().and_then(|mut fields| fields.take_some("access_token"));
    if in_header.is_some() && in_body.is_some() {
        let body = json!({"error": "invalid_request", "error_description": "the token is sent in two ways"});
        return no_store(HttpResponse::BadRequest()).json(body);
    }
    let in_body = in_body.map(|unverified_token| {
        let sender = sender_proof(&request, &state.certificates)?;
        Ok(PresentedToken { unverified_token, scheme: Scheme::Bearer, sender })
    });
    match in_body.transpose() {
        Ok(in_body) => answer(&state, in_header.or(in_body)).await,
        Err(error) => refused(&error, Scheme::Bearer),
    }
}

async fn answer(state: &HttpState, presented: Option<PresentedToken>) -> HttpResponse {
    let Some(presented) = presented else {
        // No token, no error code (RFC 6750 section 3.1).
        let mut response = no_store(HttpResponse::Unauthorized());
        let both = format!("Bearer realm=\"signet\", DPoP algs=\"{PROOF_ALGORITHMS}\"");
        return response.insert_header((header::WWW_AUTHENTICATE, both)).finish();
    };
    let scheme = presented.scheme;
    match state.blocking.run(move |authority| authority.userinfo(&presented)).await {
        Ok(claims) => no_store(HttpResponse::Ok()).json(claims),
        Err(error) => refused(&error, scheme),
    }
}

fn refused(error: &Error, scheme: Scheme) -> HttpResponse {
    let (status, code, description) = match error.kind {
        ErrorKind::OAuth(OAuthFault::InvalidScope) => {
            (StatusCode::FORBIDDEN, "insufficient_scope", "the token does not have the scope `openid`")
        }
        ErrorKind::OAuth(OAuthFault::InvalidDpopProof) => (
            StatusCode::UNAUTHORIZED,
            "invalid_dpop_proof",
            "the DPoP header does not hold one proof for this request",
        ),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal server error"),
        ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::TooManyAttempts(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the database is unavailable, try again later",
        ),
        ErrorKind::InvalidRequest(hint) => (StatusCode::BAD_REQUEST, "invalid_request", hint),
        ErrorKind::OAuth(_)
        | ErrorKind::SignIn(_)
        | ErrorKind::Token(_)
        | ErrorKind::Account(_)
        | ErrorKind::Admin(_) => (StatusCode::UNAUTHORIZED, "invalid_token", "the access token is not valid"),
    };
    let scheme = match scheme {
        Scheme::Bearer => "Bearer realm=\"signet\"".to_owned(),
        Scheme::Dpop => format!("DPoP algs=\"{PROOF_ALGORITHMS}\""),
    };
    let challenge = format!("{scheme}, error=\"{code}\"");
    let mut response = no_store(HttpResponse::build(status));
    advise(&mut response, status, Some(error), &challenge);
    if status == StatusCode::FORBIDDEN {
        response.insert_header((header::WWW_AUTHENTICATE, format!("{challenge}, scope=\"openid\"")));
    }
    response.json(json!({"error": code, "error_description": description}))
}

/// RFC 6750 section 2.1, RFC 9449 section 7.1.
fn presented(request: &HttpRequest, state: &HttpState) -> Result<Option<PresentedToken>> {
    let headers = request.headers().get_all(header::AUTHORIZATION);
    let found = unverified_token(headers.map(|value| value.to_str().unwrap_or_default()));
    let Ok((scheme, token)) = found else { return Ok(None) };
    let sender = sender_proof(request, &state.certificates)?;
    Ok(Some(PresentedToken { unverified_token: token.to_owned(), scheme, sender }))
}
