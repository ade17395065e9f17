//! The four endpoints of djangorestframework-simplejwt 5.5.1, as its clients know them: status codes,
//! bodies, the order of their members, the errors of single fields. Clients change a URL, no code.
//!
//! What differs on purpose: verify and refresh always honour the blacklist, blacklisting ends the
//! session with its access tokens, a refresh always rotates and does so once, a deleted or disabled
//! account is a 401 and never a 500, `Cache-Control: no-store` is sent, passwords and tokens are not
//! trimmed.

mod describe;
pub mod errors;
mod fields;
mod request;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use errors::{Refused, answer};
use request::Submitted;

use crate::grants::PasswordLogin;
use crate::http::{Edge, device, peer};
use crate::secret::PlainSecret;

pub fn routes(app: &mut web::ServiceConfig, base: &str) {
    let endpoint = |path: &str| web::resource(format!("{base}{path}")).default_service(web::to(not_post));
    app.service(endpoint("/api/token/").route(web::post().to(obtain)))
        .service(endpoint("/api/token/refresh/").route(web::post().to(refresh)))
        .service(endpoint("/api/token/verify/").route(web::post().to(verify)))
        .service(endpoint("/api/token/blacklist/").route(web::post().to(blacklist)));
}

async fn obtain(request: HttpRequest, payload: Payload, edge: Data<Edge>) -> Result<HttpResponse, Refused> {
    let mut submitted = Submitted::read(&request, payload).await?;
    let (username, password) = (submitted.trimmed("username"), submitted.untrimmed("password"));
    let [username, password] = fields::all([("username", username), ("password", password)])?;
    let login = PasswordLogin {
        client: Arc::clone(&edge.authority.first_party),
        unverified_username: username,
        password: PlainSecret::new(password),
        peer: peer(&request, &edge.proxies),
        unverified_device: device(&request),
        scope: None,
        audience: None,
    };
    let issued = edge.blocking.run(move |authority| authority.obtain_pair(&login)).await?;
    Ok(answer(HttpResponse::Ok()).json(Pair { refresh: issued.refresh_token, access: issued.access_token }))
}

async fn refresh(request: HttpRequest, payload: Payload, edge: Data<Edge>) -> Result<HttpResponse, Refused> {
    let token = only_field(&request, payload, "refresh").await?;
    let client = Arc::clone(&edge.authority.first_party);
    let issued = edge.blocking.refresh(client, token, None).await?;
    Ok(answer(HttpResponse::Ok())
        .json(Rotated { access: issued.access_token, refresh: issued.refresh_token }))
}

async fn verify(request: HttpRequest, payload: Payload, edge: Data<Edge>) -> Result<HttpResponse, Refused> {
    let token = only_field(&request, payload, "token").await?;
    edge.blocking.verify(token).await?;
    Ok(answer(HttpResponse::Ok()).json(json!({})))
}

async fn blacklist(
    request: HttpRequest,
    payload: Payload,
    edge: Data<Edge>,
) -> Result<HttpResponse, Refused> {
    let token = only_field(&request, payload, "refresh").await?;
    edge.blocking.run(move |authority| authority.blacklist(&token)).await?;
    Ok(answer(HttpResponse::Ok()).json(json!({})))
}

async fn only_field(request: &HttpRequest, payload: Payload, name: &'static str) -> Result<String, Refused> {
    let mut submitted = Submitted::read(request, payload).await?;
    // A token is not trimmed: space around it would be a second spelling of it.
    let [token] = fields::all([(name, submitted.untrimmed(name))])?;
    Ok(token)
}

/// OPTIONS describes the endpoint; every other method is refused.
async fn not_post(request: HttpRequest) -> HttpResponse {
    if request.method() == Method::OPTIONS {
        return answer(HttpResponse::Ok()).json(describe::endpoint(request.path()));
    }
    let mut response = answer(HttpResponse::MethodNotAllowed());
    if request.method() == Method::HEAD {
        return response.content_type("application/json").finish();
    }
    response.json(json!({"detail": format!("Method \"{}\" not allowed.", request.method())}))
}

/// The members of the answers in simplejwt's order.
#[derive(serde::Serialize)]
struct Pair {
    refresh: Option<String>,
    access: String,
}

#[derive(serde::Serialize)]
struct Rotated {
    access: String,
    refresh: Option<String>,
}
