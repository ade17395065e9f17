//! The gRPC protocol: unpack a request, call the authority, repack the answer.

mod calls;
mod client_auth;
mod key_service;
mod login_service;
mod messages;
mod open_streams;
mod revocation_service;
mod status;
mod subscriptions;
mod token_service;

use std::sync::Arc;
use std::time::Duration;

use service_kit::accept;
use service_kit::client_certificates::ClientCertificates;
use service_kit::client_ip::TrustedProxies;
use service_kit::grpc::{CALL_TIMEOUT, ObserveCalls, report_health};
use service_kit::run::End;
use service_kit::tls::ServerTls;
use signet_proto::auth::v1::key_service_server::KeyServiceServer;
use signet_proto::auth::v1::login_service_server::LoginServiceServer;
use signet_proto::auth::v1::revocation_service_server::RevocationServiceServer;
use signet_proto::auth::v1::token_service_server::TokenServiceServer;
use tonic::server::NamedService;
use tonic::transport::Server;

use crate::authority::Authority;
use crate::blocking::Blocking;
use crate::settings::Grpc;

use calls::Calls;
use key_service::KeyEndpoints;
use login_service::LoginEndpoints;
use revocation_service::RevocationEndpoints;
pub use status::grpc_error;
use subscriptions::Subscriptions;
use token_service::TokenEndpoints;

/// Largest message in, in bytes. Tokens are capped at 8 KiB; nothing here is near this.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Calls under way on one connection (rapid-reset attacks, CVE-2023-44487).
const MAX_STREAMS: u32 = 100;
/// Connections are asked to move on after this long, so that they spread over replicas.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(30 * 60);
const CONNECTION_GRACE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

const SERVICES: [&str; 4] = [
    TokenServiceServer::<TokenEndpoints>::NAME,
    LoginServiceServer::<LoginEndpoints>::NAME,
    RevocationServiceServer::<RevocationEndpoints>::NAME,
    KeyServiceServer::<KeyEndpoints>::NAME,
];

/// What the gRPC API serves with.
pub struct GrpcState {
    pub authority: Arc<Authority>,
    pub blocking: Blocking,
    pub settings: Grpc,
    pub proxies: TrustedProxies,
    pub tls: Option<ServerTls>,
    pub certificates: ClientCertificates,
}

/// Serves until `end` says to stop. Health and, where it is switched on, reflection are the only
/// methods that answer without client credentials.
///
/// # Errors
/// Those of the transport.
pub async fn serve(
    listener: tokio::net::TcpListener,
    GrpcState { authority, blocking, settings, proxies, tls, certificates }: GrpcState,
    end: End,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let ready = Arc::clone(&authority);
    let ready = move || ready.check_ready().is_ok();
    tokio::spawn(report_health(reporter, &SERVICES, ready, end.draining));
    let subscriptions = Subscriptions::new(
        Arc::clone(&authority),
        blocking.clone(),
        certificates.clone(),
        settings.max_watches,
    );
    let revocations = RevocationServiceServer::new(RevocationEndpoints::new(subscriptions.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let keys =
        KeyServiceServer::new(KeyEndpoints::new(subscriptions)).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let calls =
        Calls { authority: Arc::clone(&authority), blocking, proxies, certificates: certificates.clone() };
    let tokens = TokenServiceServer::new(TokenEndpoints::new(calls.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    let logins = LoginServiceServer::new(LoginEndpoints::new(calls, authority.issuer.url.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    // Many a tool asks for the older version, and only for that.
    let reflection = settings.reflection.then(|| listed_services().build_v1()).transpose()?;
    let reflection_alpha = settings.reflection.then(|| listed_services().build_v1alpha()).transpose()?;
    let server = Server::builder()
        .layer(ObserveCalls::of(signet_proto::DESCRIPTORS, &[])?)
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_connection_age(MAX_CONNECTION_AGE)
        .max_connection_age_grace(CONNECTION_GRACE)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        .http2_max_header_list_size(16 * 1024)
        .add_service(health)
        .add_service(tokens)
        .add_service(logins)
        .add_service(revocations)
        .add_service(keys)
        .add_optional_service(reflection)
        .add_optional_service(reflection_alpha);
    let stopping = end.stopping.cancelled_owned();
    match tls {
        Some(tls) => {
            let connections = accept::begun_over_tls(listener, tls.grpc_config(), certificates);
            server.serve_with_incoming_shutdown(connections, stopping).await?;
        }
        None => server.serve_with_incoming_shutdown(accept::begun(listener), stopping).await?,
    }
    Ok(())
}

/// Lists what is served here: the descriptors also hold services of others.
fn listed_services() -> tonic_reflection::server::Builder<'static> {
    let builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(signet_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .include_reflection_service(true)
        .with_service_name(tonic_health::pb::health_server::SERVICE_NAME);
    SERVICES.iter().fold(builder, |builder, name| builder.with_service_name(*name))
}
