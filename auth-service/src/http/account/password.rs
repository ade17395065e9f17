use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{Ended, PasswordChange, Reset, ResetRequest};
use super::errors::{Problem, no_store};
use super::request::{Answer, as_caller, bearer, done, read};
use crate::http::{HttpState, context};
use crate::secret::PlainSecret;

/// Requests an e-mail to reset the password. The answer does not tell whether a user has this address.
#[utoipa::path(post, path = "/api/account/v1/password/reset", tag = "password", request_body = ResetRequest,
    responses((status = 202, description = "If a user has this address, an e-mail was sent"),
        (status = 400, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn ask_for_reset(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let ResetRequest { email } = read(&request, payload).await?;
    let context = context(&request, &state.proxies);
    state.blocking.run(move |authority| authority.ask_for_reset(&email, &context)).await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Sets another password by the token of an e-mail; every session ends, and a second factor stays.
#[utoipa::path(post, path = "/api/account/v1/password/reset/confirm", tag = "password", request_body = Reset,
    responses((status = 204, description = "It is set: log in"), (status = 400, body = Problem)))]
pub(super) async fn reset_password(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let body: Reset = read(&request, payload).await?;
    let new = PlainSecret::new(body.new_password);
    let context = context(&request, &state.proxies);
    state.blocking.run(move |authority| authority.reset_password(&body.token, &new, &context)).await?;
    Ok(done())
}

/// Changes the password; all other sessions end.
#[utoipa::path(put, path = "/api/account/v1/password", tag = "password", request_body = PasswordChange,
    security(("access_token" = [])),
    responses((status = 200, body = Ended), (status = 400, body = Problem), (status = 401, body = Problem),
        (status = 403, description = "The present password is wrong", body = Problem), (status = 429, body = Problem)))]
pub(super) async fn change_password(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let body: PasswordChange = read(&request, payload).await?;
    let (present, new) = (PlainSecret::new(body.current_password), PlainSecret::new(body.new_password));
    let sessions_ended = as_caller(&request, &state, token, move |authority, caller| {
        authority.change_password(caller, &present, &new)
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(Ended { sessions_ended }))
}
