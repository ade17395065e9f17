//! From settings to a running service.

use std::fs::{self, DirBuilder};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use metrics::{describe_gauge, gauge};
use serde_json::json;
use service_kit::accept;
use service_kit::grpc::{CALL_TIMEOUT, ObserveCalls, report_health};
use service_kit::metrics::Recorded;
use service_kit::run::{self, End};
use service_kit::signals::stop_requested;
use shared_claims::Verifier;
use shared_claims::authority::Authority;
use shared_claims::guard::Guard;
use shared_claims::tonic::BearerInterceptor;
use signet_proto::notes::v1::notes_service_server::NotesServiceServer;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;

use crate::encryption_key;
use crate::gateway::envoy::EnvoyEndpoint;
use crate::gateway::http::Verify;
use crate::gateway::{self, Gatekeeper, Rules};
use crate::notes::grpc::NotesEndpoints;
use crate::notes::{self, NoteStore};
use crate::settings::Settings;

const MAX_MESSAGE_BYTES: usize = 128 * 1024;
const MAX_STREAMS: u32 = 100;
const BLOCKING_THREADS: usize = 16;

/// What Envoy calls.
const ENVOYS_METHOD: (&str, &str) = ("envoy.service.auth.v3.Authorization", "Check");

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// One line: what could not be opened or bound.
pub fn serve(settings: &Settings) -> Result<(), String> {
    accept::raise_descriptor_limit();
    make_data_dir(&settings.data_dir)?;
    let store = Arc::new(NoteStore::open(&settings.data_dir.join("notes.db"))?);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let recorded = service_kit::metrics::install()?;
    let outcome = runtime.block_on(serve_until_stopped(settings, store, cores, recorded));
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn serve_until_stopped(
    settings: &Settings,
    store: Arc<NoteStore>,
    cores: usize,
    recorded: Recorded,
) -> Result<(), String> {
    // Before it reports ready.
    let stop_signal = stop_requested();
    let end = End::default();
    let stop = end.stopping.clone();
    let mut verifier = Verifier::new(&settings.authority.issuer, &settings.audience);
    if let Some(file) = &settings.decryption_key_file {
        verifier = verifier.with_decryption(encryption_key::read(file, settings.allow_rsa_decryption)?);
    }
    let authority = Authority::start(settings.authority.followed(&settings.data_dir)?, stop.clone())
        .map_err(|error| error.to_string())?;
    let guard = Arc::new(Guard::new(verifier, Arc::clone(&authority)));

    let http_listener = accept::bind("http.bind", settings.http.bind)?;
    let http_address = http_listener.local_addr().map_err(|error| error.to_string())?;
    let grpc_listener = accept::bind("grpc.bind", settings.grpc.bind)?;
    let grpc_address = grpc_listener.local_addr().map_err(|error| error.to_string())?;

    let stale_after = settings.authority.stale_after;
    tokio::spawn(tell_of_staleness(Arc::clone(&authority), stale_after, stop.clone()));
    let rules = Rules::new(&settings.gateway).map_err(|error| error.to_string())?;
    let gatekeeper = (!rules.is_empty()).then(|| Arc::new(Gatekeeper::new(Arc::clone(&guard), rules)));
    let verify = gatekeeper
        .clone()
        .map(|gatekeeper| web::Data::new(Verify { gatekeeper, proxy: settings.gateway.proxy }));
    let state = HttpState {
        verify,
        stale_after,
        guard: Arc::clone(&guard),
        store: Arc::clone(&store),
        authority: Arc::clone(&authority),
    };
    let http = http_listener.into_std().and_then(|listener| http_server(listener, &state, cores));
    let http = http.map_err(|error| format!("http: {error}"))?;
    let watched = Arc::clone(&authority);
    let measured = move || sample_metrics(&watched);
    let services = GrpcServices { guard, store, authority, gatekeeper };
    let observe = ObserveCalls::of(signet_proto::DESCRIPTORS, &[ENVOYS_METHOD])?;
    let grpc = tokio::spawn(serve_grpc(grpc_listener, observe, services, end.clone()));
    describe_metrics();
    let metrics = service_kit::metrics::serve(settings.metrics, recorded, measured)?;
    tracing::info!(http = %http_address, grpc = %grpc_address, metrics = metrics.address(), audience = settings.audience, "ready");
    run::until_stopped(stop_signal, http, grpc, metrics, (end, settings.drain_delay)).await
}

/// When what is known counts as old.
struct StaleAfter(Duration);

#[derive(Clone)]
struct HttpState {
    /// The sidecar, where there are rules for it.
    verify: Option<web::Data<Verify>>,
    stale_after: Duration,
    guard: Arc<Guard>,
    store: Arc<NoteStore>,
    authority: Arc<Authority>,
}

fn http_server(listener: TcpListener, state: &HttpState, workers: usize) -> std::io::Result<Server> {
    let state = state.clone();
    let server = HttpServer::new(move || {
        App::new()
            .wrap(DefaultHeaders::new().add(("Cache-Control", "no-store")))
            .wrap(from_fn(service_kit::observe::observe))
            .app_data(web::Data::new(Arc::clone(&state.guard)))
            .app_data(web::Data::new(Arc::clone(&state.store)))
            .app_data(web::Data::new(Arc::clone(&state.authority)))
            .app_data(web::Data::new(StaleAfter(state.stale_after)))
            .route("/healthz", web::get().to(alive))
            .route("/readyz", web::get().to(ready))
            .configure(notes::http::routes)
            .configure(|app| {
                if let Some(verify) = &state.verify {
                    app.app_data(verify.clone()).configure(gateway::http::routes);
                }
            })
    })
    .workers(workers)
    .worker_max_blocking_threads(BLOCKING_THREADS / workers.max(1))
    .client_request_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(60))
    .shutdown_timeout(run::HTTP_DRAIN_SECONDS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

/// Logs once that contact with the authority is lost, and once that it is restored.
async fn tell_of_staleness(authority: Arc<Authority>, stale_after: Duration, stop: CancellationToken) {
    let mut stale = false;
    // A start deserves as much time.
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(stale_after) => {}
    }
    while !stop.is_cancelled() {
        let freshness = authority.freshness();
        if !freshness.is_within(stale_after) && !std::mem::replace(&mut stale, true) {
            tracing::warn!(last_contact = ?freshness.age(), "stale: no contact with the authority");
        }
        if freshness.is_within(stale_after) && std::mem::take(&mut stale) {
            tracing::info!("contact with the authority is restored");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// Ready as soon as there are keys to verify with, also old ones from the disk. How old what is known of
/// the authority is stands beside it: what follows from that is each route's own policy.
async fn ready(authority: web::Data<Arc<Authority>>, stale_after: web::Data<StaleAfter>) -> HttpResponse {
    if run::is_draining() {
        return not_ready("this service is about to stop");
    }
    if authority.is_ready() {
        let freshness = authority.freshness();
        return HttpResponse::Ok().json(json!({
            "status": "ready",
            "authority": {
                "stale": !freshness.is_within(stale_after.0),
                "last_contact_ms_ago": freshness.age().map(|age| age.as_millis()),
                "refused_updates": authority.refused_updates(),
            },
        }));
    }
    not_ready("the authority's keys or revocations have not arrived yet")
}

fn not_ready(missing: &str) -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header(("Retry-After", "1"))
        .json(json!({"status": "not ready", "missing": missing}))
}

fn describe_metrics() {
    describe_gauge!("signet_ready", "1 when there are keys to verify with");
    describe_gauge!(
        "signet_authority_last_contact_seconds",
        "Time since the last contact with the authority; infinite if there was none"
    );
    describe_gauge!(
        "signet_refused_updates",
        "Updates of the authority that were refused because they are invalid"
    );
}

/// The gauges that are read off when someone asks for them.
fn sample_metrics(authority: &Authority) {
    gauge!("signet_ready").set(u8::from(authority.is_ready() && !run::is_draining()));
    let age = authority.freshness().age().map_or(f64::INFINITY, |age| age.as_secs_f64());
    gauge!("signet_authority_last_contact_seconds").set(age);
    #[expect(clippy::cast_precision_loss, reason = "a gauge holds no more")]
    gauge!("signet_refused_updates").set(authority.refused_updates() as f64);
}

struct GrpcServices {
    guard: Arc<Guard>,
    store: Arc<NoteStore>,
    authority: Arc<Authority>,
    gatekeeper: Option<Arc<Gatekeeper>>,
}

async fn serve_grpc(
    listener: tokio::net::TcpListener,
    observe: ObserveCalls,
    services: GrpcServices,
    end: End,
) -> Result<(), tonic::transport::Error> {
    let GrpcServices { guard, store, authority, gatekeeper } = services;
    type Notes = NotesServiceServer<NotesEndpoints>;
    let (reporter, health) = tonic_health::server::health_reporter();
    let mut services = vec![Notes::NAME];
    services.extend(gatekeeper.as_ref().map(|_| ENVOYS_METHOD.0));
    let ready = move || authority.is_ready();
    tokio::spawn(async move { report_health(reporter, &services, ready, end.draining).await });
    let service = Notes::new(NotesEndpoints::new(store)).max_decoding_message_size(MAX_MESSAGE_BYTES);
    tonic::transport::Server::builder()
        .layer(observe)
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .add_service(health)
        .add_service(InterceptedService::new(service, BearerInterceptor::new(guard)))
        .add_optional_service(
            gatekeeper.map(|gatekeeper| AuthorizationServer::new(EnvoyEndpoint::new(gatekeeper))),
        )
        .serve_with_incoming_shutdown(accept::begun(listener), end.stopping.cancelled_owned())
        .await
}

/// The folder, not the way to it: a mistyped path must not make one.
fn make_data_dir(folder: &Path) -> Result<(), String> {
    if fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("data_dir {}: {error}", folder.display()))
}
