//! The extractor: `async fn list(token: Authorized<NotesRead>) -> ...`.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, ResponseError, web};

use crate::bearer::Rejection;
use crate::binding::ClientCertificate;
use crate::claims::AccessClaims;
use crate::credentials::Credentials;
use crate::dpop::ProofHeader;
use crate::guard::{Admitted, Authentication, Guard};
use crate::requirement::Requirement;

/// A request whose token is valid here and has what `R` requires. The application must hold the
/// guard as `web::Data<Arc<Guard>>`; without it every request is refused.
pub struct Authorized<R> {
    /// The claims of its token.
    pub claims: Arc<AccessClaims>,
    needs: PhantomData<R>,
}

impl<R: Requirement> FromRequest for Authorized<R> {
    type Error = RejectedRequest;
    type Future = Authorizing<R>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let guard = request.app_data::<web::Data<Arc<Guard>>>().map(|guard| Arc::clone(guard.get_ref()));
        // A header that is no visible ASCII becomes a malformed one, not an absent one.
        let headers =
            request.headers().get_all(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("Bearer"));
        // That of the request: a proxy has handed it on. Else of the connection.
        let of_request = request.extensions().get::<ClientCertificate>().copied();
        let certificate = of_request.or_else(|| request.conn_data::<ClientCertificate>().copied());
        let proofs = request.headers().get_all("dpop").map(|value| value.to_str().unwrap_or_default());
        let (method, path) = (request.method().as_str(), request.uri().path());
        let credentials = Credentials::new(headers).with_certificate(certificate).with_proof(
            ProofHeader::of(proofs),
            method,
            path,
        );
        let admitted = |guard| request.extensions().get::<Admitted>()?.claims_for(guard);
        let authentication = guard.as_ref().map(|guard| match admitted(guard) {
            Some(claims) => Authentication::Done(Some(Ok(claims))),
            None => guard.authenticate_in_loop(credentials),
        });
        let noting = request.headers().contains_key("dpop").then(|| request.clone());
        // Those of one handler are all made before the first of them is polled.
        if let (Some(guard), Some(Authentication::Done(Some(Ok(claims))))) = (&guard, &authentication) {
            note(noting.as_ref(), guard, claims);
        }
        Authorizing { guard, authentication, noting, needs: PhantomData }
    }
}

fn note(request: Option<&HttpRequest>, guard: &Arc<Guard>, claims: &Arc<AccessClaims>) {
    if let Some(request) = request {
        request.extensions_mut().insert(Admitted::by(guard, claims));
    }
}

/// The future of [`Authorized`].
pub struct Authorizing<R> {
    guard: Option<Arc<Guard>>,
    authentication: Option<Authentication>,
    /// The request, where another extractor has to know what this one found.
    noting: Option<HttpRequest>,
    needs: PhantomData<fn() -> R>,
}

impl<R: Requirement> Future for Authorizing<R> {
    type Output = Result<Authorized<R>, RejectedRequest>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (Some(guard), Some(authentication)) = (&this.guard, &mut this.authentication) else {
            return Poll::Ready(Err(RejectedRequest(Rejection::NotReady)));
        };
        let claims = ready!(Pin::new(authentication).poll(context));
        if let Ok(claims) = &claims {
            note(this.noting.as_ref(), guard, claims);
        }
        let authorized = claims.and_then(|claims| {
            guard.authorize::<R>(&claims)?;
            Ok(Authorized { claims, needs: PhantomData })
        });
        Poll::Ready(authorized.map_err(RejectedRequest))
    }
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
