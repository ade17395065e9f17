//! What stands before a service, and the check that each method makes: `let claims = authorized::<NotesRead, _>(&request)?`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use crate::bearer::Rejection;
use crate::binding::ClientCertificate;
use crate::claims::AccessClaims;
use crate::credentials::Credentials;
use crate::guard::Guard;
use crate::http_request::credentials_of;
use crate::requirement::Requirement;

/// A service that only calls with valid credentials come to, whatever they are:
/// `server.add_service(Authenticated::new(NotesServiceServer::new(notes), guard))`.
#[derive(Clone)]
pub struct Authenticated<S> {
    inner: S,
    guard: Arc<Guard>,
}

impl<S> Authenticated<S> {
    /// Lets calls pass by what the guard says.
    #[must_use]
    pub fn new(inner: S, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

impl<S: NamedService> NamedService for Authenticated<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, In, Out> Service<http::Request<In>> for Authenticated<S>
where
    S: Service<http::Request<In>, Response = http::Response<Out>> + Clone + Send + 'static,
    S::Future: Send,
    In: Send + 'static,
    Out: Default,
{
    type Response = http::Response<Out>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<In>) -> Self::Future {
        // The service that is ready is this one; its copy is for the next call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let guard = Arc::clone(&self.guard);
        let authentication = guard.authenticate_in_loop(credentials_of(&request));
        Box::pin(async move {
            match authentication.await {
                Ok(claims) => {
                    request.extensions_mut().insert(Verified { claims, guard });
                    inner.call(request).await
                }
                Err(rejection) => Ok(status(rejection).into_http()),
            }
        })
    }
}

/// The same as an interceptor, which does not see what is called: proofs cannot be checked here, and a token that is bound to a key is
/// refused.
#[derive(Clone)]
pub struct BearerInterceptor {
    guard: Arc<Guard>,
}

impl BearerInterceptor {
    /// Lets calls pass by what the guard says.
    #[must_use]
    pub fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }
}

impl Interceptor for BearerInterceptor {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = request.metadata().get_all("authorization").iter();
        let headers = headers.map(|value| value.to_str().unwrap_or("Bearer"));
        let certificate = request.extensions().get::<ClientCertificate>().copied();
        let credentials = Credentials::new(headers).with_certificate(certificate);
        let claims = self.guard.authenticate_at_once(credentials).map_err(status)?;
        request.extensions_mut().insert(Verified { claims, guard: Arc::clone(&self.guard) });
        Ok(request)
    }
}

/// What was found before the service.
#[derive(Clone)]
struct Verified {
    claims: Arc<AccessClaims>,
    guard: Arc<Guard>,
}

/// The caller's claims, when they have what `R` requires. Where nothing stands before the service every call is refused.
///
/// # Errors
/// UNAUTHENTICATED (16) without verified claims, PERMISSION_DENIED (7) without a scope or role,
/// UNAVAILABLE (14) when what is known is too old for this method.
pub fn authorized<R: Requirement, T>(request: &Request<T>) -> Result<Arc<AccessClaims>, Status> {
    let verified = request.extensions().get::<Verified>().ok_or_else(|| status(Rejection::Missing))?;
    verified.guard.authorize::<R>(&verified.claims).map_err(status)?;
    Ok(Arc::clone(&verified.claims))
}

/// A [`Rejection`] as a gRPC status: the same table as over HTTP.
#[must_use]
pub fn status(rejection: Rejection) -> Status {
    let code = match rejection {
        Rejection::Missing | Rejection::Invalid(_) | Rejection::InvalidProof(_) => Code::Unauthenticated,
        Rejection::Malformed => Code::InvalidArgument,
        Rejection::InsufficientScope(_) | Rejection::InsufficientRole => Code::PermissionDenied,
        Rejection::NotReady | Rejection::Stale | Rejection::Overloaded => Code::Unavailable,
    };
    Status::new(code, rejection.description())
}
