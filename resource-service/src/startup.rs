//! From settings to a running service.

use std::sync::Arc;

use actix_web::web::Data;
use notes_proto::v1::notes_service_server::NotesServiceServer;
use service_kit::accept;
use service_kit::cors;
use service_kit::grpc::{ObserveCalls, report_health};
use service_kit::metrics::Recorded;
use service_kit::run::{self, End};
use service_kit::signals::stop_requested;
use shared_claims::tonic::Authenticated;
use tonic::server::NamedService;
use verifier_kit::certificates::NoteCertificates;
use verifier_kit::following::{Followed, Following};
use verifier_kit::serving::{self, Listeners};

use crate::notes::grpc::NotesEndpoints;
use crate::notes::{self, NoteStore};
use crate::settings::Settings;

const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// One line: what could not be opened or bound.
pub fn serve(settings: &Settings) -> Result<(), String> {
    accept::raise_descriptor_limit();
    serving::make_data_dir(&settings.data_dir)?;
    let store = Arc::new(NoteStore::open(&settings.data_dir.join("notes.db"))?);
    let recorded = service_kit::metrics::install()?;
    serving::block_on(serve_until_stopped(settings, store, recorded))
}

async fn serve_until_stopped(
    settings: &Settings,
    store: Arc<NoteStore>,
    recorded: Recorded,
) -> Result<(), String> {
    // Before it reports ready.
    let stop_signal = stop_requested();
    let end = End::default();
    let followed = Followed {
        audience: &settings.audience,
        service_urls: &settings.service_urls,
        data_dir: &settings.data_dir,
        decryption_key_file: settings.decryption_key_file.as_deref(),
        allow_rsa_decryption: settings.allow_rsa_decryption,
        authority: &settings.authority,
        client_cert_proxies: &settings.client_cert_proxies,
    };
    let following = Following::start(&followed, &end.stopping)?;
    let listeners = Listeners::bind(settings.http.bind, settings.grpc.bind)?;
    let (guard, notes) = (Data::new(Arc::clone(&following.guard)), Data::new(Arc::clone(&store)));
    let browsers = cors::shared(settings.cors_allowed_origins.clone());
    let http = serving::http_server(listeners.http, &following, move |app| {
        let app = app.app_data(guard.clone()).app_data(notes.clone()).app_data(browsers.clone());
        app.configure(notes::http::routes);
    });
    let http = http.map_err(|error| format!("http: {error}"))?;
    let observe = ObserveCalls::of(notes_proto::DESCRIPTORS, &[])?;
    let service = GrpcService { following: following.clone(), store };
    let grpc = tokio::spawn(serve_grpc(listeners.grpc, observe, service, end.clone()));
    let metrics =
        service_kit::metrics::serve(settings.metrics, recorded, move || following.sample_metrics())?;
    let (http_address, grpc_address) = (listeners.http_address, listeners.grpc_address);
    tracing::info!(http = %http_address, grpc = %grpc_address, metrics = metrics.address(), audience = settings.audience, "ready");
    run::until_stopped(stop_signal, http, grpc, metrics, end, settings.drain_delay).await
}

struct GrpcService {
    following: Following,
    store: Arc<NoteStore>,
}

async fn serve_grpc(
    listener: tokio::net::TcpListener,
    observe: ObserveCalls,
    GrpcService { following, store }: GrpcService,
    end: End,
) -> Result<(), tonic::transport::Error> {
    type Notes = NotesServiceServer<NotesEndpoints>;
    let (reporter, health) = tonic_health::server::health_reporter();
    let authority = Arc::clone(&following.authority);
    let ready = move || authority.is_ready();
    tokio::spawn(async move { report_health(reporter, &[Notes::NAME], ready, end.draining).await });
    let service = Notes::new(NotesEndpoints::new(store)).max_decoding_message_size(MAX_MESSAGE_BYTES);
    serving::grpc_server()
        .layer(observe)
        .layer(NoteCertificates(following.certificates))
        .add_service(health)
        .add_service(Authenticated::new(service, following.guard))
        .serve_with_incoming_shutdown(accept::begun(listener), end.stopping.cancelled_owned())
        .await
}
