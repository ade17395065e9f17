use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{Otp, Password, RecoveryCodes, SecondFactor, SecondFactorRemoval};
use super::errors::{Problem, no_store};
use super::request::{Answer, as_caller, bearer, done, read};
use crate::http::HttpState;
use crate::secret::PlainSecret;

/// A secret for an authenticator app; one-time passwords are asked for once it is confirmed.
#[utoipa::path(post, path = "/api/account/v1/second-factor", tag = "second factor", request_body = Password,
    security(("access_token" = [])),
    responses((status = 200, body = SecondFactor), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, description = "One is in use", body = Problem), (status = 429, body = Problem)))]
pub(super) async fn begin_second_factor(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let body: Password = read(&request, payload).await?;
    let password = PlainSecret::new(body.current_password);
    let new = as_caller(&request, &state, token, move |authority, caller| {
        authority.begin_second_factor(caller, &password)
    })
    .await?;
    let shown = SecondFactor { secret: new.secret.expose().to_owned(), uri: new.uri.expose().to_owned() };
    Ok(no_store(HttpResponse::Ok()).json(shown))
}

/// Puts it to use, and shows recovery codes, once.
#[utoipa::path(post, path = "/api/account/v1/second-factor/confirm", tag = "second factor", request_body = Otp,
    security(("access_token" = [])),
    responses((status = 200, body = RecoveryCodes), (status = 401, body = Problem),
        (status = 403, description = "The code is wrong", body = Problem), (status = 409, body = Problem),
        (status = 429, body = Problem)))]
pub(super) async fn confirm_second_factor(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let Otp { otp } = read(&request, payload).await?;
    let otp = PlainSecret::new(otp);
    let codes = as_caller(&request, &state, token, move |authority, caller| {
        authority.confirm_second_factor(caller, &otp)
    })
    .await?;
    let recovery_codes = codes.iter().map(|code| code.expose().to_owned()).collect();
    Ok(no_store(HttpResponse::Ok()).json(RecoveryCodes { recovery_codes }))
}

/// Takes the second factor away.
#[utoipa::path(delete, path = "/api/account/v1/second-factor", tag = "second factor",
    request_body = SecondFactorRemoval, security(("access_token" = [])),
    responses((status = 204, description = "It is gone"), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, description = "There is none", body = Problem), (status = 429, body = Problem)))]
pub(super) async fn remove_second_factor(
    request: HttpRequest,
    payload: Payload,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let body: SecondFactorRemoval = read(&request, payload).await?;
    let (password, otp) = (PlainSecret::new(body.current_password), body.otp.map(PlainSecret::new));
    as_caller(&request, &state, token, move |authority, caller| {
        authority.remove_second_factor(caller, &password, otp.as_ref())
    })
    .await?;
    Ok(done())
}
