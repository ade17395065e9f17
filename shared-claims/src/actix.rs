//! The extractor: `async fn list(token: Authorized<NotesRead>) -> ...`.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};

use crate::bearer::Rejection;
use crate::claims::AccessClaims;
use crate::guard::{Guard, RequiredScope};

/// A request whose token is valid here and holds the scope `S`. The application must hold the
/// guard as `web::Data<Arc<Guard>>`; without it every request is refused.
pub struct Authorized<S> {
    pub claims: Arc<AccessClaims>,
    needs: PhantomData<S>,
}

impl<S: RequiredScope> FromRequest for Authorized<S> {
    type Error = RejectedRequest;
    type Future = Ready<Result<Self, RejectedRequest>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authorize::<S>(request).map_err(RejectedRequest))
    }
}

fn authorize<S: RequiredScope>(request: &HttpRequest) -> Result<Authorized<S>, Rejection> {
    let guard = request.app_data::<web::Data<Arc<Guard>>>().ok_or(Rejection::NotReady)?;
    // A header that is no visible ASCII becomes a malformed one, not an absent one.
    let headers =
        request.headers().get_all(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("Bearer"));
    let claims = guard.authenticate(headers)?;
    guard.authorize::<S>(&claims)?;
    Ok(Authorized { claims, needs: PhantomData })
}

/// A [`Rejection`] as an HTTP answer (RFC 6750 section 3).
#[derive(Debug)]
pub struct RejectedRequest(pub Rejection);

impl std::fmt::Display for RejectedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.description())
    }
}

impl ResponseError for RejectedRequest {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.http_status()).unwrap_or(StatusCode::UNAUTHORIZED)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if let Some(challenge) = self.0.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if self.0.http_status() == 503 {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        let error = self.0.error_code().unwrap_or("unauthorized");
        response.json(serde_json::json!({"error": error, "error_description": self.0.description()}))
    }
}
