//! Metrics in Prometheus's text format, on a listener of their own: they are for the operator, and not for
//! anyone who can reach the service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use documented::DocumentedFields;
use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tracing::field::{DisplayValue, display};

use crate::version;

/// Upper ends of the buckets of durations, in seconds: from a client token to a login that waited.
const SECONDS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// How often samples are put into their buckets without a scrape.
const UPKEEP: Duration = Duration::from_secs(5);

/// Where the metrics are served.
#[derive(Debug, Clone, Copy, Deserialize, DocumentedFields, Serialize)]
pub struct Metrics {
    /// Address of the Prometheus listener (`GET /metrics`), or `off`; port 0 chooses a free port.
    #[serde(deserialize_with = "bind", serialize_with = "write_bind")]
    pub bind: Option<SocketAddr>,
}

impl Metrics {
    #[must_use]
    pub const fn on_loopback(port: u16) -> Self {
        Self { bind: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)) }
    }
}

/// The recorder of all metrics. Install it first: earlier samples are lost.
///
/// # Errors
/// One line: there is a recorder already.
pub fn install() -> Result<Recorded, String> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|error| error.to_string())?;
    let handle = builder.install_recorder().map_err(|error| format!("metrics: {error}"))?;
    describe_counter!("http_requests_total", "HTTP requests answered, by route, method and code");
    describe_histogram!("http_request_duration_seconds", "Time to the head of the answer");
    describe_gauge!("signet_build_info", "Version and commit of the program; always 1");
    gauge!("signet_build_info", "version" => version::NUMBER, "commit" => version::COMMIT).set(1);
    let process = Collector::default();
    process.describe();
    Ok(Recorded { handle, process })
}

/// The recorded metrics, to be rendered.
#[derive(Clone)]
pub struct Recorded {
    handle: PrometheusHandle,
    process: Collector,
}

/// A running listener; none where metrics are switched off.
pub struct Listener(Option<(SocketAddr, ServerHandle)>);

/// Serves `GET /metrics`, unless it is switched off. `sample` sets the gauges that are read at each scrape.
/// Within a runtime.
///
/// # Errors
/// One line: the listener cannot be bound.
pub fn serve(
    settings: Metrics,
    recorded: Recorded,
    sample: impl Fn() + Send + Sync + 'static,
) -> Result<Listener, String> {
    let Some(bind) = settings.bind else { return Ok(Listener(None)) };
    let failed = |error: std::io::Error| format!("metrics.bind {bind}: {error}");
    let listener = TcpListener::bind(bind).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let upkeep = recorded.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.handle.run_upkeep();
        }
    });
    let server = server(listener, recorded, Arc::new(sample)).map_err(failed)?;
    let handle = server.handle();
    tokio::spawn(server);
    Ok(Listener(Some((address, handle))))
}

impl Listener {
    /// Where it listens, for the log.
    #[must_use]
    pub fn address(&self) -> Option<DisplayValue<SocketAddr>> {
        self.0.as_ref().map(|(address, _)| display(*address))
    }

    pub(crate) async fn stop(self) {
        if let Some((_, handle)) = self.0 {
            handle.stop(false).await;
        }
    }
}

type Sample = Arc<dyn Fn() + Send + Sync>;

fn server(listener: TcpListener, recorded: Recorded, sample: Sample) -> std::io::Result<Server> {
    let state = web::Data::new((recorded, sample));
    let server =
        HttpServer::new(move || App::new().app_data(state.clone()).route("/metrics", web::get().to(render)));
    Ok(server.workers(1).worker_max_blocking_threads(1).disable_signals().listen(listener)?.run())
}

async fn render(state: web::Data<(Recorded, Sample)>) -> HttpResponse {
    let (recorded, sample) = state.as_ref();
    sample();
    recorded.process.collect();
    HttpResponse::Ok().content_type(ContentType::plaintext()).body(recorded.handle.render())
}

fn bind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(deserializer)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| D::Error::custom("expected an address such as 127.0.0.1:9464, or `off`"))
}

fn write_bind<S: Serializer>(bind: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    match bind {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_str("off"),
    }
}
