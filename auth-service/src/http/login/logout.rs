use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Leave, Renderer, see_other, unreadable};
use super::cookies::{browser, browser_of_form};
use super::form::Fields;
use crate::authority::authorize::{Logout, LogoutAnswer, LogoutRequest};
use crate::error;
use crate::http::HttpState;
use crate::http::pages::{self, with};

/// Longest wait for clients that are told of a logout.
const WAIT_FOR_CLIENTS: Duration = Duration::from_secs(2);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// `GET /oauth2/logout` (OpenID Connect RP-Initiated Logout section 2).
#[utoipa::path(get, path = "/oauth2/logout", tag = "openid",
    params(("id_token_hint" = Option<String>, Query), ("client_id" = Option<String>, Query),
        ("post_logout_redirect_uri" = Option<String>, Query), ("state" = Option<String>, Query)),
    responses((status = 200, description = "A page for the user", content_type = "text/html"), (status = 303, description = "Back to the client")))]
pub(in crate::http) async fn logout(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    match Fields::of_query(&request) {
        Ok(fields) => end(&request, &state, fields, Leave::Redirect).await,
        Err(_) => unreadable(&request, &state),
    }
}

/// `POST /oauth2/logout`. As at the authorization endpoint, the cookie comes with the GET that follows.
#[utoipa::path(post, path = "/oauth2/logout", tag = "openid",
    responses((status = 303, description = "To the same request by GET")))]
pub(in crate::http) async fn logout_by_post(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> HttpResponse {
    let Ok(fields) = Fields::read(&request, payload).await else {
        return unreadable(&request, &state);
    };
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields.0).finish();
    see_other(&format!("{}/oauth2/logout?{query}", state.base))
}

async fn end(request: &HttpRequest, state: &HttpState, mut fields: Fields, leave: Leave) -> HttpResponse {
    let asked = LogoutRequest {
        id_token_hint: fields.take_some("id_token_hint"),
        client_id: fields.take_some("client_id"),
        post_logout_redirect_uri: fields.take_some("post_logout_redirect_uri"),
        state: fields.take_some("state"),
        ui_locales: fields.take_some("ui_locales"),
    };
    let browser = browser(request, state);
    let answer = state.blocking.run(move |authority| authority.request_logout(asked, &browser)).await;
    respond(request, state, answer, leave).await
}

/// The answer to the question.
pub(super) async fn confirm(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    let Ok(mut fields) = Fields::read(&request, payload).await else {
        return unreadable(&request, &state);
    };
    if fields.take("decision") != "logout" {
        let renderer = Renderer::new(&request, &state, None);
        let t = renderer.texts();
        return renderer.message(StatusCode::OK, t.stay, &[t.logged_out_hint], None);
    }
    let Some(browser) = browser_of_form(&request, &state) else {
        return unreadable(&request, &state);
    };
    let interaction = fields.take("interaction");
    let answer = state.blocking.run(move |authority| authority.confirm_logout(&interaction, &browser)).await;
    respond(&request, &state, answer, Leave::Page).await
}

async fn respond(
    request: &HttpRequest,
    state: &HttpState,
    answer: error::Result<LogoutAnswer>,
    leave: Leave,
) -> HttpResponse {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Renderer::new(request, state, None).failed(&error),
    };
    if let Some(ended) = &answer.ended {
        clients_are_told(state, ended).await;
    }
    let renderer = Renderer::new(request, state, answer.ui_locales.as_deref());
    let t = renderer.texts();
    let mut response = match answer.outcome {
        Logout::Redirect(location) if leave == Leave::Redirect => see_other(&location),
        Logout::Redirect(location) => {
            let host = location.split_once("://").map_or(location.as_str(), |(_, rest)| rest);
            let host = host.split(['/', '?']).next().unwrap_or_default().to_owned();
            renderer.go_on(location, &host)
        }
        Logout::Done => renderer.message(StatusCode::OK, t.logged_out, &[t.logged_out_hint], None),
        Logout::Ask(question) => {
            let page = pages::LogoutQuestion {
                shell: &renderer.shell(),
                t,
                question: with(t.logout_question, &question.username),
                action: renderer.action("/logout"),
                interaction: question.interaction,
            };
            pages::page(StatusCode::OK, &page)
        }
    };
    state.login_cookies.set(&mut response, answer.tickets.as_ref(), answer.binding.as_ref());
    response
}

/// Waits for the clients that are told of a logout, for a while: the one that the browser goes back to should have forgotten
/// the session by then. One that is away is told later.
async fn clients_are_told(state: &HttpState, browser_session_id: &str) {
    let until = Instant::now() + WAIT_FOR_CLIENTS;
    while Instant::now() < until {
        let id = browser_session_id.to_owned();
        let waiting = state.blocking.run(move |authority| authority.awaits_logout_notices(&id)).await;
        if !matches!(waiting, Ok(true)) {
            return;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
