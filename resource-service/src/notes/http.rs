//! `GET/POST /notes`, `GET/DELETE /notes/{id}`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::{JsonPayloadError, QueryPayloadError};
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;
use shared_claims::actix::Authorized;
use tokio::time::timeout;

use super::{Note, NoteError, NotePage, NoteStore, NoteText, NotesRead, NotesWrite, PageRequest};

/// Largest body, in bytes: the longest note, all of it escaped.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// Time for a client to send a body (slow-body attacks).
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

pub fn routes(app: &mut web::ServiceConfig) {
    app.app_data(
        web::JsonConfig::default().limit(MAX_BODY_BYTES).error_handler(|error, _| json_error(&error).into()),
    )
    .app_data(web::QueryConfig::default().error_handler(|error, _| query_error(&error).into()))
    .service(
        web::resource("/notes")
            .route(web::get().to(list))
            .route(web::post().to(create))
            .default_service(web::to(|request| not_allowed(request, "GET, POST"))),
    )
    .service(
        web::resource("/notes/{id}")
            .route(web::get().to(get))
            .route(web::delete().to(delete))
            .default_service(web::to(|request| not_allowed(request, "GET, DELETE"))),
    );
}

#[derive(Deserialize)]
struct ListQuery {
    page_size: Option<u32>,
    #[serde(default)]
    after: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewNote {
    text: String,
}

/// What a body is made into, if it arrives in time: actix gives a client as long as it likes.
struct InTime<T>(T);

impl<T: FromRequest<Error = actix_web::Error> + 'static> FromRequest for InTime<T> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let whole = timeout(BODY_TIMEOUT, T::from_request(request, payload));
        let late = NotesHttpError::Malformed(StatusCode::REQUEST_TIMEOUT, "the body took too long");
        Box::pin(async move { whole.await.unwrap_or_else(|_| Err(late.into())).map(Self) })
    }
}

async fn list(
    token: Authorized<NotesRead>,
    store: Data<Arc<NoteStore>>,
    query: Query<ListQuery>,
) -> Result<Json<NotePage>, NotesHttpError> {
    let page = PageRequest::parse(query.page_size, &query.after)?;
    Ok(Json(store.blocking(move |store| store.list(&token.claims.sub, &page)).await?))
}

async fn create(
    token: Authorized<NotesWrite>,
    store: Data<Arc<NoteStore>>,
    body: InTime<Json<NewNote>>,
) -> Result<HttpResponse, NotesHttpError> {
    let text = NoteText::parse(body.0.into_inner().text)?;
    let note = store.blocking(move |store| store.create(&token.claims.sub, &text)).await?;
    let location = format!("/notes/{}", note.id);
    Ok(HttpResponse::Created().insert_header((header::LOCATION, location)).json(note))
}

async fn get(
    token: Authorized<NotesRead>,
    store: Data<Arc<NoteStore>>,
    id: Path<String>,
) -> Result<Json<Note>, NotesHttpError> {
    Ok(Json(store.blocking(move |store| store.get(&token.claims.sub, &id)).await?))
}

async fn delete(
    token: Authorized<NotesWrite>,
    store: Data<Arc<NoteStore>>,
    id: Path<String>,
) -> Result<HttpResponse, NotesHttpError> {
    store.blocking(move |store| store.delete(&token.claims.sub, &id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn not_allowed(request: HttpRequest, allow: &'static str) -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((header::ALLOW, allow));
    let description = format!("{} is not allowed here", request.method());
    response.json(json!({"error": "invalid_request", "error_description": description}))
}

/// Why a request about notes was refused.
#[derive(Debug)]
enum NotesHttpError {
    Note(NoteError),
    Malformed(StatusCode, &'static str),
}

impl From<NoteError> for NotesHttpError {
    fn from(error: NoteError) -> Self {
        Self::Note(error)
    }
}

impl std::fmt::Display for NotesHttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Note(error) => write!(f, "{error}"),
            Self::Malformed(_, description) => f.write_str(description),
        }
    }
}

impl ResponseError for NotesHttpError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Note(NoteError::Invalid(_)) => StatusCode::BAD_REQUEST,
            Self::Note(NoteError::NotFound) => StatusCode::NOT_FOUND,
            Self::Note(NoteError::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Malformed(status, _) => *status,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let word = match self {
            Self::Note(NoteError::Invalid(_)) | Self::Malformed(..) => "invalid_request",
            Self::Note(NoteError::NotFound) => "not_found",
            Self::Note(error @ NoteError::Unavailable(_)) => {
                error.log();
                response.insert_header((header::RETRY_AFTER, "1"));
                "temporarily_unavailable"
            }
        };
        response.json(json!({"error": word, "error_description": self.to_string()}))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "actix may add variants: `non_exhaustive`")]
fn json_error(error: &JsonPayloadError) -> NotesHttpError {
    match error {
        JsonPayloadError::ContentType => {
            NotesHttpError::Malformed(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        }
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            NotesHttpError::Malformed(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
        }
        _ => NotesHttpError::Malformed(
            StatusCode::BAD_REQUEST,
            "the body is not JSON of the form {\"text\": \"...\"}",
        ),
    }
}

fn query_error(_: &QueryPayloadError) -> NotesHttpError {
    NotesHttpError::Malformed(StatusCode::BAD_REQUEST, "`page_size` is not a number of 1 to 100")
}
