use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Leave, Renderer, see_other, unreadable};
use super::cookies::{browser, browser_of_form};
use super::form::Fields;
use crate::authority::authorize::{AwaitedNotice, Logout, LogoutAnswer, LogoutRequest, host_of};
use crate::error;
use crate::http::pages::{self, with};
use crate::http::{HttpState, client_ip};

/// Longest wait for the client that the browser goes back to.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

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
    if let Some(awaited) = &answer.awaited {
        wait_for_logout_notice(request, state, awaited).await;
    }
    let renderer = Renderer::new(request, state, answer.ui_locales.as_deref());
    let t = renderer.texts();
    let mut response = match answer.outcome {
        Logout::Redirect(location) if leave == Leave::Redirect => see_other(&location),
        Logout::Redirect(location) => {
            let host = host_of(&location).to_owned();
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

/// Waits until the client that the browser goes back to has been notified, for a while, so that it has forgotten the session by
/// then. When too many wait already, of this address or in all, nobody waits.
async fn wait_for_logout_notice(request: &HttpRequest, state: &HttpState, awaited: &AwaitedNotice) {
    let address = client_ip(request, &state.proxies).map(|client_ip| client_ip.address);
    let Some(_waiting) = state.long_polls.enter(address) else { return };
    let until = Instant::now() + LONGEST_WAIT;
    while Instant::now() < until {
        let notice = awaited.clone();
        let waits = state.blocking.run(move |authority| authority.awaits_logout_notice(&notice)).await;
        if !matches!(waits, Ok(true)) {
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
