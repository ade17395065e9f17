use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Leave, Renderer, respond, see_other};
use super::cookies::browser;
use super::form::Fields;
use crate::authority::authorize::{Parameters, RecipientFault, Stopped};
use crate::http::HttpState;

/// `GET /oauth2/authorize` (RFC 6749 section 3.1).
#[utoipa::path(get, path = "/oauth2/authorize", tag = "openid",
    params(("client_id" = String, Query), ("redirect_uri" = String, Query), ("response_type" = String, Query, description = "`code`"),
        ("scope" = Option<String>, Query), ("state" = Option<String>, Query), ("nonce" = Option<String>, Query),
        ("code_challenge" = Option<String>, Query), ("code_challenge_method" = Option<String>, Query, description = "`S256`"),
        ("prompt" = Option<String>, Query), ("max_age" = Option<u32>, Query)),
    responses((status = 200, description = "A page for the user", content_type = "text/html"),
        (status = 303, description = "Back to the client, with a code or an error"),
        (status = 400, description = "A page: client or redirect URI is not registered", content_type = "text/html")))]
pub(in crate::http) async fn authorize(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    let Ok(fields) = Fields::of_query(&request) else { return malformed(&request, &state) };
    let (parameters, browser) = (Parameters::new(fields.0), browser(&request, &state));
    let answer = state.blocking.call(|authority| authority.authorize(parameters, browser)).await;
    respond(&request, &state, answer, Leave::Redirect)
}

/// `POST /oauth2/authorize` (OpenID Connect Core section 3.1.2.1). A browser sends no cookie with the form of another site, and
/// its user would seem to be logged out: it is led to the same request by GET.
#[utoipa::path(post, path = "/oauth2/authorize", tag = "openid",
    responses((status = 303, description = "To the same request by GET"), (status = 400, description = "A page", content_type = "text/html")))]
pub(in crate::http) async fn authorize_by_post(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let Ok(fields) = Fields::read(&request, payload).await else { return malformed(&request, &state) };
    let query = Parameters::new(fields.0).to_query();
    see_other(&format!("{}/oauth2/authorize?{query}", state.base))
}

fn malformed(request: &HttpRequest, state: &HttpState) -> HttpResponse {
    Renderer::new(request, state, None).stopped(Stopped::Recipient(RecipientFault::Malformed))
}
