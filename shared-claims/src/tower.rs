//! The layer for tower services over HTTP, such as axum's: `router.route_layer(BearerLayer::<NotesRead>::new(guard))`.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::bearer::Rejection;
use crate::guard::{Admitted, Authentication, Guard};
use crate::http_request::credentials_of;
use crate::requirement::Requirement;

/// Lets only requests through whose token is valid here and has what `R` requires. A handler finds the claims as
/// `Arc<AccessClaims>` among the extensions of the request; with axum, as `Extension<Arc<AccessClaims>>`.
///
/// Proofs are compared with the path that the layer sees: put it outside of a router that is nested under a prefix, which axum takes
/// away.
pub struct BearerLayer<R> {
    guard: Arc<Guard>,
    requires: PhantomData<fn() -> R>,
}

/// What [`BearerLayer`] puts around a service.
pub struct BearerService<S, R> {
    inner: S,
    guard: Arc<Guard>,
    requires: PhantomData<fn() -> R>,
}

impl<R> BearerLayer<R> {
    /// Lets requests pass by what the guard says.
    #[must_use]
    pub fn new(guard: Arc<Guard>) -> Self {
        Self { guard, requires: PhantomData }
    }
}

impl<R> Clone for BearerLayer<R> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.guard))
    }
}

impl<S, R> Layer<S> for BearerLayer<R> {
    type Service = BearerService<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService { inner, guard: Arc::clone(&self.guard), requires: PhantomData }
    }
}

impl<S: Clone, R> Clone for BearerService<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), guard: Arc::clone(&self.guard), requires: PhantomData }
    }
}

impl<S, R, In, Out> Service<Request<In>> for BearerService<S, R>
where
    S: Service<Request<In>, Response = Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    R: Requirement,
    In: Send + 'static,
    Out: From<String>,
{
    type Response = Response<Out>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        // The service that is ready is this one; its copy is for the next request.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let guard = Arc::clone(&self.guard);
        let admitted = request.extensions().get::<Admitted>();
        let authentication = match admitted.and_then(|admitted| admitted.claims_for(&guard)) {
            Some(claims) => Authentication::Done(Some(Ok(claims))),
            None => guard.authenticate_in_loop(credentials_of(&request)),
        };
        let has_proof = request.headers().contains_key("dpop");
        Box::pin(async move {
            let claims = authentication.await.and_then(|claims| {
                guard.authorize::<R>(&claims)?;
                Ok(claims)
            });
            match claims {
                Ok(claims) => {
                    if has_proof {
                        // Another layer may ask again.
                        request.extensions_mut().insert(Admitted::by(&guard, &claims));
                    }
                    request.extensions_mut().insert(claims);
                    inner.call(request).await
                }
                Err(rejection) => Ok(response(rejection)),
            }
        })
    }
}

/// A [`Rejection`] as an HTTP answer (RFC 6750 section 3).
#[must_use]
pub fn response<B: From<String>>(rejection: Rejection) -> Response<B> {
    let error = rejection.error_code().unwrap_or("unauthorized");
    let body = serde_json::json!({"error": error, "error_description": rejection.description()});
    let mut response = Response::new(B::from(body.to_string()));
    *response.status_mut() =
        StatusCode::from_u16(rejection.http_status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Ok(challenge)) = rejection.challenge().map(HeaderValue::try_from) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if rejection.http_status() == 503 {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
