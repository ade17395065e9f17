//! Traces by OTLP over gRPC (OpenTelemetry), where the operator names a collector; where not, nothing at all.
//!
//! What is exported are the spans with the target `traces`, and nothing else. The log never shows them, and nothing
//! of the log is ever exported: a span holds what was put there for it, which is no token and no name of a user.
//! Requests carry `traceparent` (W3C Trace Context) in and out.

use std::fmt::Display;
use std::time::Duration;

use actix_web::http::header::HeaderMap as ActixHeaders;
use documented::DocumentedFields;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Status, TraceContextExt, TraceId, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::runtime::{Builder, Runtime};
use tonic::codegen::http::{HeaderMap, HeaderValue};
use tonic::transport::{ClientTlsConfig, Endpoint};
use tracing::{Span, Subscriber, trace_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::registry::LookupSpan;

/// The target of every span that is exported. Macros need it as a literal.
pub const TARGET: &str = "traces";

/// How long a span may lie here before it is sent.
const EXPORT_PAUSE: Duration = Duration::from_secs(1);

/// Longest time that one batch of spans may take on its way, and the end of the process may wait for the last one.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where traces go.
#[derive(Debug, Clone, Deserialize, DocumentedFields, Serialize)]
#[serde(default)]
pub struct Traces {
    /// OpenTelemetry collector (OTLP over gRPC): `http://127.0.0.1:4317`, or `off`.
    #[serde(deserialize_with = "endpoint", serialize_with = "write_endpoint")]
    pub endpoint: Option<String>,
    /// Share of the traces started here that are recorded, 0 to 1; the caller decides for traces that it started.
    #[serde(deserialize_with = "ratio")]
    pub ratio: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: None, ratio: 1.0 }
    }
}

/// The way to the collector. What is under way at the end is sent when this is dropped.
pub struct Exporting {
    provider: SdkTracerProvider,
    /// Its own: spans are sent also while everything else is busy.
    runtime: Option<Runtime>,
}

/// Begins to export the spans of a service, unless that is off. The collector may be away: then spans are lost, and
/// nothing else.
///
/// # Errors
/// One line: the endpoint is no URL.
pub fn start(service: &'static str, settings: &Traces) -> Result<Option<Exporting>, String> {
    let Some(url) = &settings.endpoint else { return Ok(None) };
    let failed = |error: &dyn Display| format!("traces.endpoint {url}: {error}");
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("traces")
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let mut endpoint = Endpoint::from_shared(url.clone()).map_err(|error| failed(&error))?;
    if url.starts_with("https://") {
        let tls = ClientTlsConfig::new().with_enabled_roots();
        endpoint = endpoint.tls_config(tls).map_err(|error| failed(&error))?;
    }
    let entered = runtime.enter();
    let channel = endpoint.timeout(EXPORT_TIMEOUT).connect_timeout(EXPORT_TIMEOUT).connect_lazy();
    let exporter = SpanExporter::builder().with_tonic().with_channel(channel).with_timeout(EXPORT_TIMEOUT);
    let exporter = exporter.build().map_err(|error| failed(&error))?;
    drop(entered);
    let batches = BatchConfigBuilder::default().with_scheduled_delay(EXPORT_PAUSE).build();
    let version = KeyValue::new("service.version", crate::version::NUMBER);
    let provider = SdkTracerProvider::builder()
        .with_resource(Resource::builder_empty().with_service_name(service).with_attribute(version).build())
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio))))
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
        .build();
    Ok(Some(Exporting { provider, runtime: Some(runtime) }))
}

impl Exporting {
    /// The layer that takes the spans with the target [`TARGET`].
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("signet"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE))
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        // A collector that is away has no claim on the end of this process.
        let _ = self.provider.shutdown_with_timeout(EXPORT_TIMEOUT);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where the headers of a request are read from, in either of the two forms that they have here.
pub trait Headers {
    fn header(&self, name: &str) -> Option<&str>;
}

impl Headers for ActixHeaders {
    fn header(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }
}

impl Headers for HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }
}

struct Incoming<'a, H>(&'a H);

impl<H: Headers> Extractor for Incoming<'_, H> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.header(key)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

struct Outgoing<'a>(&'a mut HeaderMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = match key {
            "traceparent" => "traceparent",
            "tracestate" => "tracestate",
            _ => return,
        };
        if let Ok(value) = HeaderValue::try_from(value)
            && !value.is_empty()
        {
            self.0.insert(name, value);
        }
    }
}

/// The span of a request that came in, a child of the caller's own where `traceparent` names one.
#[must_use]
pub fn incoming(headers: &impl Headers) -> Span {
    let span = trace_span!(target: "traces", parent: None, "request", otel.kind = "server");
    if !span.is_disabled() {
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Incoming(headers));
        // It fails on spans that have begun: this one has not.
        let _ = span.set_parent(parent);
    }
    span
}

/// Names the trace that this thread is in to anyone who gets the request.
pub fn outgoing(headers: &mut HeaderMap) {
    let span = Span::current();
    if !span.is_disabled() {
        TraceContextPropagator::new().inject_context(&span.context(), &mut Outgoing(headers));
    }
}

/// The trace that a span belongs to, for the log.
#[must_use]
pub fn id_of(span: &Span) -> Option<TraceId> {
    if span.is_disabled() {
        return None;
    }
    Some(span.context().span().span_context().trace_id()).filter(|id| *id != TraceId::INVALID)
}

/// What a request turned out to be: its name, which must be of few, its attributes by OpenTelemetry's semantic
/// conventions, and whether the server failed. Called where [`incoming`] gave a span that is not disabled.
pub fn describe<const N: usize>(span: &Span, name: String, attributes: [KeyValue; N], failed: bool) {
    let context = span.context();
    let exported = context.span();
    exported.update_name(name);
    exported.set_attributes(attributes);
    if failed {
        exported.set_status(Status::error(""));
    }
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(None);
    }
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if rest.is_none_or(|rest| rest.is_empty() || text.contains(char::is_whitespace)) {
        return Err(D::Error::custom("expected a URL such as http://127.0.0.1:4317, or `off`"));
    }
    Ok(Some(text))
}

// serde hands over a reference to the field.
#[expect(clippy::ref_option, reason = "serde's signature")]
fn write_endpoint<S: Serializer>(endpoint: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(endpoint.as_deref().unwrap_or("off"))
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    use serde::de::Error;
    let ratio = f64::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&ratio) {
        return Err(D::Error::custom("expected a number from 0 to 1"));
    }
    Ok(ratio)
}
