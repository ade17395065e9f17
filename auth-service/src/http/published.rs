//! What verifiers fetch: the key set and the revocations. Bytes prepared at the last change.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Edge;
use super::caching::{self, Pieces, read_only};
use super::oauth::errors::Refused;
use crate::authority::Authority;
use crate::error::Error;
use crate::revocations::RevocationDocument;

pub fn routes(app: &mut web::ServiceConfig, base: &str) {
    app.service(read_only(&format!("{base}/.well-known/jwks.json"), jwks))
        .service(read_only(&format!("{base}/revocations"), revocations));
}

/// RFC 7517 section 5.
async fn jwks(request: HttpRequest, edge: web::Data<Edge>) -> HttpResponse {
    let ring = edge.authority.keys.ring();
    let kind = ("application/jwk-set+json", edge.names_keys.clone());
    caching::document(&request, kind, &ring.etag, ring.jwks.clone())
}

/// Longest time that an answer is held back.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct LongPoll {
    /// Seconds to wait for something newer than what `If-None-Match` names.
    #[serde(default)]
    wait: u32,
}

/// The signed document of what was taken back. To be asked for often, or with `wait`: an answer, also a 304,
/// says that there is nothing newer. A replica that cannot see the database does not know that.
async fn revocations(request: HttpRequest, edge: web::Data<Edge>) -> Result<HttpResponse, Refused> {
    let poll = web::Query::<LongPoll>::from_query(request.query_string())
        .map_err(|_| Error::invalid_request("`wait` is a number of seconds"))?;
    wait_for_news(&request, &edge, Duration::from_secs(poll.wait.into())).await;
    if !edge.authority.is_fresh() {
        // Not logged for each verifier that asks: the keeper has said it once.
        let body = Refused::body("temporarily_unavailable", "the database was not seen for a while");
        return Ok(HttpResponse::ServiceUnavailable().insert_header((RETRY_AFTER, "1")).json(body));
    }
    let document = newest_document(&edge).await?;
    let kind = ("application/jwt", HeaderValue::from_static("no-cache"));
    Ok(caching::document(&request, kind, &document.etag, Pieces::of(&document.jwt)))
}

/// Made by one of those who ask; the others wait for it, and hold no thread meanwhile.
async fn newest_document(edge: &Edge) -> Result<Arc<RevocationDocument>, Error> {
    if let Some(document) = edge.authority.made_revocation_document() {
        return Ok(document);
    }
    let _one_at_a_time = edge.making_document.lock().await;
    if let Some(document) = edge.authority.made_revocation_document() {
        return Ok(document);
    }
    edge.blocking.run(Authority::make_revocation_document).await
}

/// Returns when the caller's version is no longer the newest, the time is over, or this replica stops. With
/// too many waiting already nobody waits: polling is what remains.
async fn wait_for_news(request: &HttpRequest, edge: &Edge, wait: Duration) {
    let Ok(_waiting) = edge.long_polls.try_acquire() else { return };
    let mut news = edge.authority.feeds.subscribe();
    let over = tokio::time::sleep(wait.min(LONGEST_WAIT));
    tokio::pin!(over);
    while caching::is_held(request, &edge.authority.revocations_etag()) && !edge.authority.feeds.is_closing()
    {
        tokio::select! {
            () = &mut over => return,
            _ = news.changed() => {}
        }
    }
}
