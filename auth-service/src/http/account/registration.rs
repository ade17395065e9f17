use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{Confirmation, Registration};
use super::errors::{Problem, no_store};
use super::request::{Answer, done, read};
use crate::authority::{Authority, account};
use crate::http::{HttpState, context};
use crate::secret::PlainSecret;

/// Asks for an account. The answer is the same whatever is taken: what becomes of it stands in an e-mail.
#[utoipa::path(post, path = "/api/account/v1/registration", tag = "registration", request_body = Registration,
    responses((status = 202, description = "An e-mail was sent"), (status = 400, body = Problem),
        (status = 403, description = "Registration is switched off", body = Problem), (status = 429, body = Problem)))]
pub(super) async fn register(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let body: Registration = read(&request, payload).await?;
    let registration = account::Registration {
        unverified_username: body.username,
        unverified_email: body.email,
        password: PlainSecret::new(body.password),
        context: context(&request, &state.proxies),
    };
    state.blocking.run(move |authority| authority.register(&registration)).await?;
    Ok(no_store(HttpResponse::Accepted()).finish())
}

/// Creates the user, by the token of the e-mail and the password of the registration.
#[utoipa::path(post, path = "/api/account/v1/registration/confirm", tag = "registration", request_body = Confirmation,
    responses((status = 204, description = "The user exists: log in"), (status = 400, body = Problem),
        (status = 403, description = "Not the password of the registration", body = Problem),
        (status = 409, description = "The username is taken", body = Problem), (status = 429, body = Problem)))]
pub(super) async fn confirm_registration(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Answer {
    let Confirmation { token, password } = read(&request, payload).await?;
    let (password, context) = (PlainSecret::new(password), context(&request, &state.proxies));
    let work = move |authority: &Authority| authority.confirm_registration(&token, &password, &context);
    state.blocking.run(work).await?;
    Ok(done())
}
