//! Around every gRPC call, as `observe` is around every HTTP request: an id that its log lines share, one line when it
//! has ended, a count by method and code, a span for the operator's traces. And what a service says of its health.

mod deadline;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body::{Body as HttpBody, Frame, SizeHint};
use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};
use opentelemetry::KeyValue;
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, Span, field, info_span};

use crate::refusal::Refusal;
use crate::replay::WithCertificate;
use crate::request_id::RequestId;
use crate::traces;

pub use deadline::CALL_TIMEOUT;

/// Calls that come by the second, or last for days: their end is no news.
const QUIET: [&str; 2] = ["Watch", "Check"];

/// What every service answers beside its own.
const HEALTH: [(&str, &str); 2] = [("grpc.health.v1.Health", "Check"), ("grpc.health.v1.Health", "Watch")];

/// How often it is asked whether a service can do its work.
const HEALTH_INTERVAL: Duration = Duration::from_millis(500);

struct Method {
    service: String,
    name: String,
    duration: Histogram,
    /// By the number of the code; made when there is something to count.
    codes: [OnceLock<Counter>; CODES],
}

const CODES: usize = 17;

/// A layer for `tonic::transport::Server`.
#[derive(Clone)]
pub struct ObserveCalls {
    methods: Arc<HashMap<String, Arc<Method>>>,
    /// Anyone who invents methods gets one series for all of them.
    unknown: Arc<Method>,
}

impl ObserveCalls {
    /// Knows the methods of these files (a `FileDescriptorSet`), of the health protocol, and `more` as
    /// `(service, method)`.
    ///
    /// # Errors
    /// One line: it is no descriptor set.
    pub fn of(descriptors: &[u8], more: &[(&str, &str)]) -> Result<Self, String> {
        describe_counter!("grpc_server_handled_total", "gRPC calls ended, by method and code");
        describe_histogram!("grpc_server_handling_seconds", "Time from a gRPC call to its end");
        let files = FileDescriptorSet::decode(descriptors).map_err(|error| error.to_string())?;
        let mut methods = HashMap::new();
        let mut know = |service: &str, method: &str| {
            methods.insert(format!("/{service}/{method}"), Arc::new(Method::new(service, method)));
        };
        for file in &files.file {
            for service in &file.service {
                let full_name = format!("{}.{}", file.package(), service.name());
                service.method.iter().for_each(|method| know(&full_name, method.name()));
            }
        }
        HEALTH.iter().chain(more).for_each(|(service, method)| know(service, method));
        Ok(Self { methods: Arc::new(methods), unknown: Arc::new(Method::new("other", "other")) })
    }
}

impl Method {
    fn new(service: &str, name: &str) -> Self {
        let (service, name) = (service.to_owned(), name.to_owned());
        let labels = [("grpc_service", service.clone()), ("grpc_method", name.clone())];
        let duration = histogram!("grpc_server_handling_seconds", &labels);
        Self { service, name, duration, codes: [const { OnceLock::new() }; CODES] }
    }

    fn count(&self, code: Code) {
        let Some(series) = self.codes.get(code as usize) else { return };
        let counter = || {
            counter!(
                "grpc_server_handled_total",
                "grpc_service" => self.service.clone(),
                "grpc_method" => self.name.clone(),
                "grpc_code" => name_of(code)
            )
        };
        series.get_or_init(counter).increment(1);
    }
}

impl<S> Layer<S> for ObserveCalls {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, layer: self.clone() }
    }
}

/// `/package.Service/Method`: an endpoint does not see what was called. Among the extensions of a call with a proof of possession, which
/// is made for that path (RFC 9449 section 4.2).
#[derive(Debug, Clone)]
pub struct CallPath(pub Arc<str>);

/// A service whose calls are observed.
#[derive(Clone)]
pub struct Observed<S> {
    inner: S,
    layer: ObserveCalls,
}

impl<S> Service<Request<Body>> for Observed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let known = self.layer.methods.get(request.uri().path());
        let id = RequestId::next();
        tell_connection(&mut request);
        let call = Call::begin(id, Arc::clone(known.unwrap_or(&self.layer.unknown)), &request);
        request.extensions_mut().insert(id);
        if request.headers().contains_key("dpop") {
            let path = CallPath(request.uri().path().into());
            request.extensions_mut().insert(path);
        }
        let (span, traced) = (call.span.clone(), call.traced.clone());
        let time = deadline::time_for(request.headers());
        let answer = span.in_scope(|| traced.in_scope(|| self.inner.call(request)));
        let answered = async move {
            let answer = match tokio::time::timeout(time, answer).await {
                Ok(answer) => answer?,
                Err(_) => Status::deadline_exceeded("the deadline of the call has passed").into_http(),
            };
            Ok(call.answered(answer))
        };
        Box::pin(answered.instrument(traced).instrument(span))
    }
}

/// Lays out what is known of a connection over TLS where tonic looks for it, and its certificate beside it.
fn tell_connection(request: &mut Request<Body>) {
    type OverTls = WithCertificate<TlsConnectInfo<TcpConnectInfo>>;
    let Some(OverTls { inner, certificate }) = request.extensions_mut().remove::<OverTls>() else { return };
    request.extensions_mut().insert(inner);
    if let Some(certificate) = certificate {
        request.extensions_mut().insert(certificate);
    }
}

fn remote_ip(request: &Request<Body>) -> Option<IpAddr> {
    let over_tls = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
    let connection = request.extensions().get().or(over_tls.map(TlsConnectInfo::get_ref));
    let remote = connection.and_then(TcpConnectInfo::remote_addr);
    remote.map(|address| address.ip().to_canonical())
}

/// SERVING while these services are ready, and the server as a whole (the empty name); NOT_SERVING, for good, as soon as
/// it drains.
pub async fn report_health(
    reporter: HealthReporter,
    services: &[&str],
    is_ready: impl Fn() -> bool,
    draining: CancellationToken,
) {
    let mut said = None;
    loop {
        let serves = !draining.is_cancelled() && is_ready();
        // Watchers receive every status, also an unchanged one.
        if said.replace(serves) != Some(serves) {
            let status = if serves { ServingStatus::Serving } else { ServingStatus::NotServing };
            for service in services.iter().chain(&[""]) {
                reporter.set_service_status(*service, status).await;
            }
        }
        if draining.is_cancelled() {
            return;
        }
        tokio::select! {
            () = draining.cancelled() => {}
            () = tokio::time::sleep(HEALTH_INTERVAL) => {}
        }
    }
}

/// A call under way. One that is dropped was given up by its caller, or by its deadline.
struct Call {
    method: Arc<Method>,
    span: Span,
    traced: Span,
    begun: Instant,
    /// The address that the call came from, of the caller or of a proxy.
    remote: Option<IpAddr>,
    refusal: Option<Refusal>,
    ended: bool,
}

impl Call {
    fn begin(id: RequestId, method: Arc<Method>, request: &Request<Body>) -> Self {
        let traced = traces::incoming(request.headers());
        let span = info_span!(
            "request",
            %id,
            protocol = "grpc",
            method = method.name,
            trace = field::Empty
        );
        if let Some(id) = traces::id_of(&traced) {
            span.record("trace", field::display(id));
        }
        let remote = remote_ip(request);
        Self { method, span, traced, begun: Instant::now(), remote, refusal: None, ended: false }
    }

    /// The code stands in the headers of an answer without a body, and else behind the body.
    fn answered(mut self, response: Response<Body>) -> Response<Body> {
        match Status::from_header_map(response.headers()) {
            Some(status) => {
                self.refusal = response.extensions().get::<Status>().and_then(refusal).cloned();
                self.end(status.code());
                response
            }
            None => response.map(|inner| Body::new(Answer { inner, call: self })),
        }
    }

    fn end(&mut self, code: Code) {
        self.ended = true;
        let took = self.begun.elapsed();
        self.method.duration.record(took.as_secs_f64());
        self.method.count(code);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let _in_request = self.span.enter();
        if let Some(Refusal { error, cause }) = &self.refusal {
            let remote = self.remote.map(field::display);
            tracing::info!(status = ?code, took_us, error, cause, remote, "refused");
        } else if QUIET.contains(&self.method.name.as_str()) {
            tracing::debug!(status = ?code, took_us, "answered");
        } else {
            tracing::info!(status = ?code, took_us, "answered");
        }
        if !self.traced.is_disabled() {
            self.trace(code);
        }
    }

    fn trace(&self, code: Code) {
        let Method { service, name, .. } = &*self.method;
        let attributes = [
            KeyValue::new("rpc.system", "grpc"),
            KeyValue::new("rpc.service", service.clone()),
            KeyValue::new("rpc.method", name.clone()),
            KeyValue::new("rpc.grpc.status_code", i64::from(code as i32)),
        ];
        // Those codes that OpenTelemetry counts as the server's fault.
        let failed = matches!(
            code,
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        );
        traces::describe(&self.traced, format!("{service}/{name}"), attributes, failed);
    }
}

/// What an endpoint left in its status.
fn refusal(status: &Status) -> Option<&Refusal> {
    std::error::Error::source(status)?.downcast_ref()
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Code::Cancelled);
        }
    }
}

/// The body of an answer; its end is the end of the call.
struct Answer {
    inner: Body,
    call: Call,
}

impl HttpBody for Answer {
    type Data = <Body as HttpBody>::Data;
    type Error = <Body as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            let code = Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code());
            self.call.end(code);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The code by the name that the middlewares of other languages give it.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

#[cfg(test)]
mod tests;
