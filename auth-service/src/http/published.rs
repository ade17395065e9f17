//! What verifiers fetch: the key set and the revocations. Bytes prepared at the last change.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{ACCEPT, HeaderValue, IF_NONE_MATCH, RETRY_AFTER, VARY};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use shared_claims::revocations::Position;

use super::HttpState;
use super::caching::{self, Pieces, read_only};
use super::connections::Caller;
use super::described::{KeySet, OAuthProblem};
use super::oauth::errors::OAuthError;
use crate::authority::Authority;
use crate::authority::sync::RevocationDocument;
use crate::error::Error;

pub(super) fn routes(app: &mut web::ServiceConfig, base: &str) {
    app.service(read_only(&format!("{base}/.well-known/jwks.json"), jwks))
        .service(read_only(&format!("{base}/revocations"), revocations));
}

/// RFC 7517 section 5.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "documents",
    responses((status = 200, body = KeySet), (status = 304, description = "Unchanged")))]
pub(super) async fn jwks(request: HttpRequest, state: web::Data<HttpState>) -> HttpResponse {
    let ring = state.authority.issuer.keys.ring();
    // Without the database a revoked key would not be noticed: caches must not hold the set for long.
    let cache_control = if state.authority.sees_the_database_often_enough() {
        state.names_keys.clone()
    } else {
        HeaderValue::from_static("public, max-age=1")
    };
    let content_type = key_set_type(&request);
    let mut answer = caching::document(&request, content_type, cache_control, &ring.etag, ring.jwks.clone());
    answer.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    answer
}

/// `application/jwk-set+json` (RFC 7517 section 8.5) where it is asked for; some clients refuse anything but JSON.
fn key_set_type(request: &HttpRequest) -> &'static str {
    const REGISTERED: &str = "application/jwk-set+json";
    let accepts = request.headers().get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    let asked = accepts.into_iter().any(|value| value.to_ascii_lowercase().contains(REGISTERED));
    if asked { REGISTERED } else { "application/json" }
}

/// Longest time that an answer is held back: an abandoned connection must not hold its place for long.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How often it is seen to that the caller is still there.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct LongPoll {
    /// Seconds to wait for something newer than what `If-None-Match` names.
    #[serde(default)]
    wait: u32,
    /// `EPOCH.SEQ`: the position behind which the caller wants to know what there is; without it everything is sent.
    after: Option<String>,
}

/// The signed document of what was revoked. To be asked for often, or with `wait`: an answer, also a 304,
/// says that there is nothing newer. A replica that cannot see the database does not know that.
#[utoipa::path(get, path = "/revocations", tag = "documents",
    params(("wait" = Option<u32>, Query, description = "Seconds to wait for news"),
        ("after" = Option<String>, Query, description = "EPOCH.SEQ: only what is newer, a page at a time")),
    responses((status = 200, description = "A signed document (JWT)", content_type = "application/jwt", body = String),
        (status = 304, description = "Unchanged"), (status = 400, body = OAuthProblem), (status = 503, body = OAuthProblem)))]
pub(super) async fn revocations(
    request: HttpRequest,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, OAuthError> {
    let poll = web::Query::<LongPoll>::from_query(request.query_string())
        .map_err(|_| Error::invalid_request("`wait` is a number of seconds"))?;
    let after = poll.after.as_deref().map(|after| {
        position(after)
            .ok_or_else(|| Error::invalid_request("`after` is EPOCH.SEQ, two numbers with a dot between"))
    });
    let after = after.transpose()?;
    wait_for_news(&request, &state, after, Duration::from_secs(poll.wait.into())).await;
    if !state.authority.is_fresh() {
        // Not logged for each verifier that asks: the state sync has said it once.
        let body = OAuthError::body("temporarily_unavailable", "the database was not seen for a while");
        return Ok(HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, "1")).json(body));
    }
    let (content_type, cache_control) = ("application/jwt", HeaderValue::from_static("no-cache"));
    if let Some(after) = after {
        // Always an answer of its own, signed in this second: a 304 could be anybody's.
        let etag = state.authority.revocations_etag();
        let page = state.authority.revocation_page(after)?;
        return Ok(caching::answer(content_type, cache_control, &etag, Pieces::of(&page)));
    }
    let document = newest_document(&state).await?;
    Ok(caching::document(&request, content_type, cache_control, &document.etag, Pieces::of(&document.jwt)))
}

fn position(text: &str) -> Option<Position> {
    let (epoch, seq) = text.split_once('.')?;
    Some(Position { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? })
}

/// Created by one of the callers; the others wait for it without holding a thread.
async fn newest_document(state: &HttpState) -> Result<Arc<RevocationDocument>, Error> {
    if let Some(document) = state.authority.made_revocation_document() {
        return Ok(document);
    }
    let _one_at_a_time = state.making_document.lock().await;
    if let Some(document) = state.authority.made_revocation_document() {
        return Ok(document);
    }
    state.blocking.run(Authority::make_revocation_document).await
}

/// Returns when the caller's version is no longer the newest, the time is over, or this replica stops. With
/// too many waiting already, the answer is immediate: the caller polls.
async fn wait_for_news(request: &HttpRequest, state: &HttpState, after: Option<Position>, wait: Duration) {
    let Some(_waiting) =
        state.long_polls.enter(super::client_ip(request, &state.proxies).map(|client_ip| client_ip.address))
    else {
        return;
    };
    let caller = request.conn_data::<Caller>();
    let mut news = state.authority.sync.feeds.subscribe();
    let over = tokio::time::sleep(wait.min(LONGEST_WAIT));
    tokio::pin!(over);
    let began = state.authority.revocations_etag();
    let is_newest = || {
        let etag = state.authority.revocations_etag();
        match after {
            // One who names a position but no version has the keys of this moment.
            Some(after) => {
                let same = etag == began && !request.headers().contains_key(IF_NONE_MATCH);
                after == state.authority.reader.revocations.position()
                    && (same || caching::is_held(request, &etag))
            }
            None => caching::is_held(request, &etag),
        }
    };
    while is_newest() && !state.authority.sync.feeds.is_closing() {
        tokio::select! {
            () = &mut over => return,
            _ = news.changed() => {}
            () = tokio::time::sleep(LOOK) => {
                if caller.is_some_and(Caller::has_hung_up) {
                    return;
                }
            }
        }
    }
}
