use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{BrowserSession, BrowserSessions, Consent, Consents};
use super::errors::{Problem, no_store};
use super::request::{Answer, as_caller, bearer, done};
use crate::authority::Authority;
use crate::authority::account::Caller;
use crate::http::HttpState;
use crate::storage::BrowserSessionSummary;

/// The browsers in which the account is logged in.
#[utoipa::path(get, path = "/api/account/v1/browser-sessions", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = BrowserSessions), (status = 401, body = Problem)))]
pub(super) async fn browser_sessions(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let browser_sessions = as_caller(&request, &state, token, |authority, caller| {
        let shown = |seen: BrowserSessionSummary| BrowserSession {
            logged_in_at: seen.auth_time / 1000,
            expires_at: seen.expires_at_seconds(),
            id: seen.id,
            device: seen.device,
        };
        Ok(authority.browser_sessions_of(caller)?.into_iter().map(shown).collect())
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(BrowserSessions { browser_sessions }))
}

/// Logs the account out in one browser, and at what was logged in to from there.
#[utoipa::path(delete, path = "/api/account/v1/browser-sessions/{id}", tag = "sessions", security(("access_token" = [])),
    params(("id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It has ended"), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn end_browser_session(
    request: HttpRequest,
    id: Path<String>,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let end = move |authority: &Authority, caller: &Caller| authority.end_own_browser_session(caller, &id);
    as_caller(&request, &state, token, end).await?;
    Ok(done())
}

/// What the account has allowed applications.
#[utoipa::path(get, path = "/api/account/v1/consents", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = Consents), (status = 401, body = Problem)))]
pub(super) async fn consents(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let consents = as_caller(&request, &state, token, |authority, caller| {
        let shown = |consent: crate::storage::Consent| Consent {
            client_id: consent.client_id,
            audience: consent.audience,
            scope: consent.scope.to_string(),
            granted_at: consent.granted_at.0 / 1000,
            expires_at: consent.expires_at.0 / 1000,
        };
        Ok(authority.consents_of(caller)?.into_iter().map(shown).collect())
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(Consents { consents }))
}

/// Withdraws what the account has allowed an application, and ends its sessions.
#[utoipa::path(delete, path = "/api/account/v1/consents/{client_id}", tag = "sessions", security(("access_token" = [])),
    params(("client_id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It is withdrawn"), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn withdraw_consent(
    request: HttpRequest,
    client_id: Path<String>,
    state: Data<HttpState>,
) -> Answer {
    let token = bearer(&request, &state)?;
    let withdraw =
        move |authority: &Authority, caller: &Caller| authority.withdraw_own_consent(caller, &client_id);
    as_caller(&request, &state, token, withdraw).await?;
    Ok(done())
}
