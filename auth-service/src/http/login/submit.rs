//! What the pages send.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::answer::{Leave, respond, unreadable};
use super::cookies::browser_of_form;
use super::form::Fields;
use crate::authority::Authority;
use crate::authority::authorize::{Answer, ChosenAccount, Submitted};
use crate::error;
use crate::http::HttpState;
use crate::secret::PlainSecret;

/// The form of a page, and the use case that it belongs to.
async fn submit<F>(request: HttpRequest, payload: Payload, state: Data<HttpState>, then: F) -> HttpResponse
where
    F: FnOnce(&Authority, &Submitted, Fields) -> error::Result<Answer> + Send + 'static,
{
    let Ok(mut fields) = Fields::read(&request, payload).await else {
        return unreadable(&request, &state);
    };
    let Some(browser) = browser_of_form(&request, &state) else {
        return unreadable(&request, &state);
    };
    let submitted = Submitted { unverified_interaction: fields.take("interaction"), browser };
    let answer = state.blocking.run(move |authority| then(authority, &submitted, fields)).await;
    respond(&request, &state, answer, Leave::Page)
}

pub(super) async fn password(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    submit(request, payload, state, |authority, submitted, mut fields| {
        let (username, password) = (fields.take("username"), PlainSecret::new(fields.take("password")));
        authority.submit_password(submitted, username, password)
    })
    .await
}

pub(super) async fn factor(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    submit(request, payload, state, |authority, submitted, mut fields| {
        authority.submit_factor(submitted, &PlainSecret::new(fields.take("code")))
    })
    .await
}

pub(super) async fn account(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    submit(request, payload, state, |authority, submitted, mut fields| {
        let chosen = match fields.take_some("account") {
            Some(browser_session_id) => ChosenAccount::Open { browser_session_id },
            None => ChosenAccount::Another,
        };
        authority.submit_account(submitted, chosen)
    })
    .await
}

pub(super) async fn consent(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> HttpResponse {
    submit(request, payload, state, |authority, submitted, mut fields| {
        authority.submit_consent(submitted, fields.take("decision") == "allow")
    })
    .await
}

/// The address of a page, typed in or found in the history: what it was about was in the form.
pub(super) async fn reopened(request: HttpRequest, state: Data<HttpState>) -> HttpResponse {
    unreadable(&request, &state)
}
