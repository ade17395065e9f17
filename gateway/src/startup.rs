//! From settings to a running gateway.

use std::sync::Arc;

use actix_web::web::Data;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use service_kit::accept;
use service_kit::grpc::{ObserveCalls, report_health};
use service_kit::metrics::Recorded;
use service_kit::run::{self, End};
use service_kit::signals::stop_requested;
use verifier_kit::following::{Followed, Following};
use verifier_kit::serving::{self, Listeners};

use crate::envoy::EnvoyEndpoint;
use crate::gatekeeper::Gatekeeper;
use crate::http::{self, Verify};
use crate::rules::Rules;
use crate::settings::Settings;

/// What Envoy calls.
const ENVOYS_METHOD: (&str, &str) = ("envoy.service.auth.v3.Authorization", "Check");

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// One line: rules that are missing or cannot be meant, or what could not be opened or bound.
pub fn serve(settings: &Settings) -> Result<(), String> {
    let rules = Rules::new(&settings.gateway).map_err(|error| error.to_string())?;
    if rules.is_empty() {
        return Err(
            "no rule is set, so no request would pass: [[gateway.rules]] in the file of --config".to_owned()
        );
    }
    accept::raise_descriptor_limit();
    serving::make_data_dir(&settings.data_dir)?;
    let recorded = service_kit::metrics::install()?;
    serving::block_on(serve_until_stopped(settings, rules, recorded))
}

async fn serve_until_stopped(settings: &Settings, rules: Rules, recorded: Recorded) -> Result<(), String> {
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
    let gatekeeper = Arc::new(Gatekeeper::new(Arc::clone(&following.guard), rules));
    let listeners = Listeners::bind(settings.http.bind, settings.grpc.bind)?;
    let verify = Data::new(Verify { gatekeeper: Arc::clone(&gatekeeper), proxy: settings.gateway.proxy });
    let http = serving::http_server(listeners.http, &following, move |app| {
        app.app_data(verify.clone()).configure(http::routes);
    });
    let http = http.map_err(|error| format!("http: {error}"))?;
    let observe = ObserveCalls::of(signet_proto::DESCRIPTORS, &[ENVOYS_METHOD])?;
    let service = GrpcService { following: following.clone(), gatekeeper };
    let grpc = tokio::spawn(serve_grpc(listeners.grpc, observe, service, end.clone()));
    let metrics =
        service_kit::metrics::serve(settings.metrics, recorded, move || following.sample_metrics())?;
    let (http_address, grpc_address) = (listeners.http_address, listeners.grpc_address);
    tracing::info!(http = %http_address, grpc = %grpc_address, metrics = metrics.address(), audience = settings.audience, "ready");
    run::until_stopped(stop_signal, http, grpc, metrics, end, settings.drain_delay).await
}

struct GrpcService {
    following: Following,
    gatekeeper: Arc<Gatekeeper>,
}

async fn serve_grpc(
    listener: tokio::net::TcpListener,
    observe: ObserveCalls,
    GrpcService { following, gatekeeper }: GrpcService,
    end: End,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let ready = move || following.authority.is_ready();
    tokio::spawn(async move { report_health(reporter, &[ENVOYS_METHOD.0], ready, end.draining).await });
    serving::grpc_server()
        .layer(observe)
        .add_service(health)
        .add_service(AuthorizationServer::new(EnvoyEndpoint::new(gatekeeper)))
        .serve_with_incoming_shutdown(accept::begun(listener), end.stopping.cancelled_owned())
        .await
}
