//! The certificate of a client, which a proxy hands on, for the extractors of `shared-claims`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse};
use serde_json::json;
use service_kit::client_certificates::ClientCertificates;
use shared_claims::ClientCertificate;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::server::TcpConnectInfo;
use tower_layer::Layer;

/// Notes the certificate among the extensions of a request.
///
/// # Errors
/// Those of the handler. What a proxy says and cannot be read is answered by 400.
pub(crate) async fn note<B: MessageBody + 'static>(
    certificates: ClientCertificates,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let remote = request.peer_addr().map(|address| address.ip());
    let header = |name| request.headers().get_all(name).map(|value| value.to_str().ok()).collect();
    match certificates.of_request(remote, None, header) {
        Err(unreadable) => {
            let body = json!({"error": "invalid_request", "error_description": unreadable.to_string()});
            Ok(request.into_response(HttpResponse::BadRequest().json(body)).map_into_right_body())
        }
        Ok(found) => {
            if let Some(shown) = found {
                request.extensions_mut().insert(ClientCertificate::from_der(&shown.der));
            }
            Ok(next.call(request).await?.map_into_left_body())
        }
    }
}

/// The same for the calls of a tonic server.
#[derive(Clone)]
pub struct NoteCertificates(pub ClientCertificates);

impl<S> Layer<S> for NoteCertificates {
    type Service = Noted<S>;

    fn layer(&self, inner: S) -> Noted<S> {
        Noted { inner, certificates: self.0.clone() }
    }
}

/// A service whose calls have the certificate of their client among their extensions.
#[derive(Clone)]
pub struct Noted<S> {
    inner: S,
    certificates: ClientCertificates,
}

impl<S> Service<http::Request<Body>> for Noted<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let remote = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        let remote = remote.map(|address| address.ip());
        let header = |name| request.headers().get_all(name).iter().map(|value| value.to_str().ok()).collect();
        match self.certificates.of_request(remote, None, header) {
            Err(unreadable) => {
                let refused = Status::invalid_argument(unreadable.to_string()).into_http();
                Box::pin(async { Ok(refused) })
            }
            Ok(found) => {
                if let Some(shown) = found {
                    request.extensions_mut().insert(ClientCertificate::from_der(&shown.der));
                }
                Box::pin(self.inner.call(request))
            }
        }
    }
}
