use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::client_auth;
use super::errors::{OAuthError, no_store};
use super::target::audience;
use crate::authority::grants::DeviceAuthorization;
use crate::http::described::OAuthProblem;
use crate::http::{HttpState, context};

/// `POST /oauth2/device_authorization` (RFC 8628 section 3.1).
#[utoipa::path(post, path = "/oauth2/device_authorization", tag = "oauth", security(("client" = [])),
    responses((status = 200, description = "The codes for the device and its user", body = Object), (status = 400, body = OAuthProblem),
        (status = 401, description = "The client is not authenticated", body = OAuthProblem), (status = 405, body = OAuthProblem),
        (status = 413, body = OAuthProblem), (status = 415, body = OAuthProblem), (status = 429, body = OAuthProblem), (status = 503, body = OAuthProblem)))]
pub(in crate::http) async fn device_authorization(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, OAuthError> {
    let (parameters, credentials) = client_auth::read(&request, payload, &state).await?;
    let client = state.blocking.authenticate(credentials).await?;
    let asked = DeviceAuthorization {
        scope: parameters.owned("scope"),
        audience: audience(&parameters)?,
        context: context(&request, &state.proxies),
    };
    let codes = state.blocking.run(move |authority| authority.authorize_device(&client, &asked)).await?;
    let page = format!("{}/device", state.authority.issuer.url);
    Ok(no_store(HttpResponse::Ok()).json(json!({
        "device_code": codes.device_code.expose(),
        "user_code": codes.user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", codes.user_code),
        "expires_in": codes.expires_in.as_secs(),
        "interval": codes.interval.as_secs(),
    })))
}
