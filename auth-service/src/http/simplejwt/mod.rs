//! The four endpoints of djangorestframework-simplejwt 5.5.1, as its clients know them: status codes,
//! bodies, the order of their members, the errors of single fields. Clients change a URL, no code.
//!
//! What differs on purpose: verify and refresh always honour the blacklist, blacklisting ends the
//! session with its access tokens, a refresh always rotates and does so once, a deleted or disabled
//! account is a 401 and never a 500, `Cache-Control: no-store` is sent, passwords and tokens are not
//! trimmed.

mod describe;
pub(super) mod errors;
mod fields;
mod refresh_cookie;
mod request;
pub(super) mod sliding;

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use utoipa::ToSchema;

use errors::{SimpleJwtError, answer};
use refresh_cookie::Presented;
use request::Submitted;

use crate::authority::grants::{Grant, PasswordGrant, RefreshGrant};
use crate::authority::sign_in::PasswordCredentials;
use crate::http::browser::Holder;
use crate::http::described::{LoginRequest, RefreshRequest, SimpleJwtProblem, VerifyRequest};
use crate::http::{HttpState, context};
use crate::secret::PlainSecret;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str, sliding: bool) {
    let endpoint = |path: &str| {
        let resource = web::resource(format!("{base}{path}")).default_service(web::to(not_post));
        resource.wrap(from_fn(name_the_scheme))
    };
    if sliding {
        app.service(endpoint("/api/token/sliding/").route(web::post().to(sliding::obtain_sliding)))
            .service(endpoint("/api/token/sliding/refresh/").route(web::post().to(sliding::refresh_sliding)));
    }
    app.service(endpoint("/api/token/").route(web::post().to(obtain)))
        .service(endpoint("/api/token/refresh/").route(web::post().to(refresh)))
        .service(endpoint("/api/token/verify/").route(web::post().to(verify)))
        .service(endpoint("/api/token/blacklist/").route(web::post().to(blacklist)));
}

/// A refusal asks for the word before a token that is set, as simplejwt does.
async fn name_the_scheme(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> actix_web::Result<ServiceResponse<impl MessageBody>> {
    let challenge = request.app_data::<Data<HttpState>>().map(|state| state.challenge.clone());
    let mut response = next.call(request).await?;
    let refused = response.headers_mut().get_mut(header::WWW_AUTHENTICATE);
    if let (Some(refused), Some(challenge)) = (refused, challenge) {
        *refused = challenge;
    }
    Ok(response)
}

/// Logs a user in.
#[utoipa::path(post, path = "/api/token/", tag = "simplejwt", request_body = LoginRequest,
    responses((status = 200, body = Pair), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem),
        (status = 403, description = "The origin may not use the cookie", body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(super) async fn obtain(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let holder = state.browsers.holder(&request)?;
    let grant = Grant::Password(Box::new(login(&request, payload, &state).await?));
    let client = Arc::clone(&state.authority.simplejwt.first_party);
    let issued = state.blocking.call(|authority| authority.grant(client, grant)).await?;
    match holder {
        Holder::Browser => Ok(refresh_cookie::rotated(&state.browsers, issued)),
        Holder::Client => {
            let pair = Pair { refresh: issued.refresh_token, access: issued.access_token };
            Ok(answer(HttpResponse::Ok()).json(pair))
        }
    }
}

async fn login(
    request: &HttpRequest,
    payload: Payload,
    state: &HttpState,
) -> Result<PasswordGrant, SimpleJwtError> {
    let mut submitted = Submitted::read(request, payload).await?;
    let (username, password) = (submitted.trimmed(&state.username_field), submitted.untrimmed("password"));
    // simplejwt's clients send none; those of an account with a second factor do.
    let otp = submitted.trimmed("otp").text().filter(|text| !text.is_empty()).map(PlainSecret::new);
    let [username, password] = fields::all([(&state.username_field, username), ("password", password)])?;
    Ok(PasswordGrant {
        credentials: PasswordCredentials {
            unverified_username: username,
            password: PlainSecret::new(password),
            otp,
        },
        context: context(request, &state.proxies),
        scope: None,
        audience: None,
    })
}

/// Exchanges a refresh token for its successor and an access token.
#[utoipa::path(post, path = "/api/token/refresh/", tag = "simplejwt", request_body = RefreshRequest,
    responses((status = 200, body = Rotated), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem),
        (status = 403, description = "The origin may not use the cookie", body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(super) async fn refresh(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let presented = Presented::read(&request, payload, &state.browsers).await?;
    let context = context(&request, &state.proxies);
    let unverified_token = presented.refresh_token.clone();
    let grant = Grant::RefreshToken(RefreshGrant { unverified_token, scope: None, context });
    let client = Arc::clone(&state.authority.simplejwt.first_party);
    match state.blocking.call(|authority| authority.grant(client, grant)).await {
        Ok(issued) if presented.holder == Holder::Browser => {
            Ok(refresh_cookie::rotated(&state.browsers, issued))
        }
        Ok(issued) => Ok(answer(HttpResponse::Ok())
            .json(Rotated { access: issued.access_token, refresh: issued.refresh_token })),
        Err(error) => presented.refused(&state.browsers, error),
    }
}

/// Says whether a token is valid.
#[utoipa::path(post, path = "/api/token/verify/", tag = "simplejwt", request_body = VerifyRequest,
    responses((status = 200, description = "It is valid"), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(super) async fn verify(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let token = only_field(&request, payload, "token").await?;
    state.blocking.call(|authority| authority.verify_token(token)).await?;
    Ok(answer(HttpResponse::Ok()).json(json!({})))
}

/// Ends the session of a refresh token.
#[utoipa::path(post, path = "/api/token/blacklist/", tag = "simplejwt", request_body = RefreshRequest,
    responses((status = 200, description = "It has ended"), (status = 400, body = SimpleJwtProblem), (status = 401, body = SimpleJwtProblem),
        (status = 403, description = "The origin may not use the cookie", body = SimpleJwtProblem), (status = 405, body = SimpleJwtProblem),
        (status = 413, body = SimpleJwtProblem), (status = 415, body = SimpleJwtProblem), (status = 429, body = SimpleJwtProblem),
        (status = 503, body = SimpleJwtProblem)))]
pub(super) async fn blacklist(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Result<HttpResponse, SimpleJwtError> {
    let presented = Presented::read(&request, payload, &state.browsers).await?;
    let context = context(&request, &state.proxies);
    let token = presented.refresh_token.clone();
    match state.blocking.run(move |authority| authority.blacklist(&token, &context)).await {
        Ok(()) if presented.holder == Holder::Browser => Ok(refresh_cookie::ended(&state.browsers)),
        Ok(()) => Ok(answer(HttpResponse::Ok()).json(json!({}))),
        Err(error) => presented.refused(&state.browsers, error),
    }
}

async fn only_field(
    request: &HttpRequest,
    payload: Payload,
    name: &'static str,
) -> Result<String, SimpleJwtError> {
    let mut submitted = Submitted::read(request, payload).await?;
    // A token is not trimmed: space around it would be a second spelling of it.
    let [token] = fields::all([(name, submitted.untrimmed(name))])?;
    Ok(token)
}

/// OPTIONS describes the endpoint; every other method is refused.
async fn not_post(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    if request.method() == Method::OPTIONS {
        return answer(HttpResponse::Ok()).json(describe::endpoint(request.path(), &state.username_field));
    }
    let mut response = answer(HttpResponse::MethodNotAllowed());
    if request.method() == Method::HEAD {
        return response.content_type("application/json").finish();
    }
    response.json(json!({"detail": format!("Method \"{}\" not allowed.", request.method())}))
}

/// The members of the answers in simplejwt's order.
#[derive(serde::Serialize, ToSchema)]
pub(super) struct Pair {
    refresh: Option<String>,
    access: String,
}

#[derive(serde::Serialize, ToSchema)]
pub(super) struct Rotated {
    access: String,
    /// Without rotation the session keeps the one that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
}
