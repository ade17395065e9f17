use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{EmailChange, Token};
use super::errors::{Problem, no_store};
use super::request::{Answer, as_caller, bearer, done, read};
use crate::http::HttpState;
use crate::secret::PlainSecret;

/// Asks for an e-mail to a new address, by which it becomes the account's.
#[utoipa::path(put, path = "/api/account/v1/email", tag = "email", request_body = EmailChange,
    security(("access_token" = [])),
    responses((status = 202, description = "An e-mail was sent"), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn change_email(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let body: EmailChange = read(&request, payload).await?;
    let password = PlainSecret::new(body.current_password);
    as_caller(&request, &state, token, move |authority, caller| {
        authority.ask_for_email(caller, &password, &body.email)
    })
    .await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Makes the address the account's, by the token of the e-mail and a session of the same account.
#[utoipa::path(post, path = "/api/account/v1/email/confirm", tag = "email", request_body = Token,
    security(("access_token" = [])),
    responses((status = 204, description = "It is the account's"), (status = 400, body = Problem),
        (status = 401, body = Problem)))]
pub(super) async fn confirm_email(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let access_token = bearer(&request, &state)?;
    let Token { token } = read(&request, payload).await?;
    as_caller(&request, &state, access_token, move |authority, caller| {
        authority.confirm_email(caller, &token)
    })
    .await?;
    Ok(done())
}
