//! The interceptor, and the check that each method makes: `let claims = authorized::<NotesRead, _>(&request)?`.

use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Code, Request, Status};

use crate::bearer::Rejection;
use crate::claims::AccessClaims;
use crate::guard::Guard;
use crate::requirement::Requirement;

/// Lets only requests with a valid token through to the service behind it.
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
        let claims = self.guard.authenticate_at_once(headers).map_err(status)?;
        request.extensions_mut().insert(Verified { claims, guard: Arc::clone(&self.guard) });
        Ok(request)
    }
}

/// What the interceptor found.
#[derive(Clone)]
struct Verified {
    claims: Arc<AccessClaims>,
    guard: Arc<Guard>,
}

/// The caller's claims, when they have what `R` requires. Without the interceptor every call is refused.
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
        Rejection::Missing | Rejection::Invalid(_) => Code::Unauthenticated,
        Rejection::Malformed => Code::InvalidArgument,
        Rejection::InsufficientScope(_) | Rejection::InsufficientRole => Code::PermissionDenied,
        Rejection::NotReady | Rejection::Stale | Rejection::Overloaded => Code::Unavailable,
    };
    Status::new(code, rejection.description())
}
