//! A collector of traces that speaks OTLP over gRPC, and keeps what it is sent.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::eventually;

/// Ends with the runtime of its test.
pub struct Collector {
    pub address: SocketAddr,
    received: Received,
}

type Received = Arc<Mutex<Vec<(String, Span)>>>;

struct Sink(Received);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.0.lock().expect("no test panicked in it");
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
            let service = text(&attributes, "service.name").expect("a service says who it is");
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                received.push((service.clone(), span));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Received::default();
        let sink = TraceServiceServer::new(Sink(Arc::clone(&received)));
        tokio::spawn(Server::builder().add_service(sink).serve_with_incoming(TcpIncoming::from(listener)));
        Self { address, received }
    }

    /// The spans of a trace as soon as `enough` of them says so.
    pub async fn trace(
        &self,
        trace_id: &str,
        mut enough: impl FnMut(&[(String, Span)]) -> bool,
    ) -> Vec<(String, Span)> {
        eventually(&format!("the spans of {trace_id}"), || {
            let spans = self.spans().into_iter().filter(|(_, span)| hex(&span.trace_id) == trace_id);
            let spans: Vec<_> = spans.collect();
            let found = enough(&spans).then_some(spans);
            async move { found }
        })
        .await
    }

    /// Everything that was received.
    ///
    /// # Panics
    /// When a handler panicked.
    #[must_use]
    pub fn spans(&self) -> Vec<(String, Span)> {
        self.received.lock().expect("no handler panicked").clone()
    }
}

/// Bytes as the headers spell them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An attribute as text.
#[must_use]
pub fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.as_ref()?;
    let value = value.value.as_ref()?;
    if let Value::IntValue(number) = value {
        return Some(number.to_string());
    }
    if let Value::StringValue(text) = value { Some(text.clone()) } else { None }
}
