use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{Account, AccountToken, SessionProof};
use super::errors::{AccountError, Problem, no_store};
use super::request::{Answer, as_caller, bearer, read};
use crate::http::HttpState;
use crate::http::browser::Holder;

/// A token for the account endpoints, by a refresh token of a first-party application: that is shown to no service,
/// while an access token is shown to every one that it is for. The refresh token is not spent.
#[utoipa::path(post, path = "/api/account/v1/token", tag = "account", request_body = SessionProof,
    responses((status = 200, body = AccountToken), (status = 401, body = Problem)))]
pub(super) async fn account_token(request: HttpRequest, payload: Payload, state: Data<HttpState>) -> Answer {
    let holder = state.browsers.holder(&request)?;
    let SessionProof { refresh } = read(&request, payload).await?;
    let in_cookie = || state.browsers.refresh_token(&request).filter(|_| holder == Holder::Browser);
    let missing = || AccountError::Malformed("missing field `refresh`".to_owned());
    let refresh = refresh.or_else(in_cookie).ok_or_else(missing)?;
    let issued = state.blocking.run(move |authority| authority.issue_account_token(&refresh)).await?;
    let body = AccountToken { access: issued.access_token, expires_in: issued.expires_in };
    Ok(no_store(HttpResponse::Ok()).json(body))
}

/// The caller's account.
#[utoipa::path(get, path = "/api/account/v1/me", tag = "account", security(("access_token" = [])),
    responses((status = 200, body = Account), (status = 401, body = Problem)))]
pub(super) async fn me(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let account = as_caller(&request, &state, token, |authority, caller| {
        let own = authority.own_account(caller)?;
        Ok(Account {
            id: own.user.id,
            username: own.user.username.as_str().to_owned(),
            email: own.email,
            email_verified: own.email_verified,
            roles: own.user.attributes.roles,
            second_factor: own.second_factor.confirmed,
            recovery_codes_left: own.second_factor.recovery_codes,
        })
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(account))
}
