use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::bodies::{Ended, Session, Sessions};
use super::errors::{Problem, no_store};
use super::request::{Answer, as_caller, bearer, done};
use crate::http::HttpState;
use crate::storage::SessionSeen;

/// The sessions of the account that are alive.
#[utoipa::path(get, path = "/api/account/v1/sessions", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = Sessions), (status = 401, body = Problem)))]
pub(super) async fn sessions(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let sessions = as_caller(&request, &state, token, |authority, caller| {
        let seen = authority.sessions_of(caller)?;
        let shown = |seen: SessionSeen| Session {
            current: seen.id == caller.session_id,
            id: seen.id,
            client_id: seen.client_id,
            device: seen.device,
            created_at: seen.created_at / 1000,
            last_used_at: seen.rotated_at / 1000,
            expires_at: seen.idle_expires_at.min(seen.expires_at) / 1000,
        };
        Ok(seen.into_iter().map(shown).collect())
    })
    .await?;
    Ok(no_store(HttpResponse::Ok()).json(Sessions { sessions }))
}

/// Ends all other sessions.
#[utoipa::path(delete, path = "/api/account/v1/sessions", tag = "sessions", security(("access_token" = [])),
    responses((status = 200, body = Ended), (status = 401, body = Problem)))]
pub(super) async fn end_other_sessions(request: HttpRequest, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    let ended = as_caller(&request, &state, token, |authority, caller| authority.end_other_sessions(caller));
    Ok(no_store(HttpResponse::Ok()).json(Ended { sessions_ended: ended.await? }))
}

/// Ends one session of the account.
#[utoipa::path(delete, path = "/api/account/v1/sessions/{id}", tag = "sessions", security(("access_token" = [])),
    params(("id" = String, Path, description = "As in the list")),
    responses((status = 204, description = "It has ended"), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn end_session(request: HttpRequest, id: Path<String>, state: Data<HttpState>) -> Answer {
    let token = bearer(&request, &state)?;
    as_caller(&request, &state, token, move |authority, caller| authority.end_own_session(caller, &id))
        .await?;
    Ok(done())
}
