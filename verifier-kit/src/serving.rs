//! A folder, listeners, servers and a runtime.

use std::fs::{self, DirBuilder};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use actix_web::App;
use actix_web::dev::Server as HttpServer;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::web::ServiceConfig;
use service_kit::grpc::CALL_TIMEOUT;
use service_kit::{accept, run};
use tonic::transport::Server;

use crate::certificates::note;
use crate::following::Following;

/// Most streams on one connection.
const MAX_STREAMS: u32 = 100;

/// Threads that may block.
const BLOCKING_THREADS: usize = 16;

/// Of one worker: tokens that are opened with RSA do not wait for each other.
const LEAST_BLOCKING_THREADS: usize = 4;

/// The addresses that a process listens at.
pub struct Listeners {
    pub http: TcpListener,
    pub http_address: SocketAddr,
    pub grpc: tokio::net::TcpListener,
    pub grpc_address: SocketAddr,
}

impl Listeners {
    /// Binds both. To be called within a runtime.
    ///
    /// # Errors
    /// One line with the setting that cannot be had.
    pub fn bind(http: SocketAddr, grpc: SocketAddr) -> Result<Self, String> {
        let http = accept::bind("http.bind", http)?;
        let http_address = http.local_addr().map_err(|error| error.to_string())?;
        let grpc = accept::bind("grpc.bind", grpc)?;
        let grpc_address = grpc.local_addr().map_err(|error| error.to_string())?;
        let http = http.into_std().map_err(|error| format!("http: {error}"))?;
        Ok(Self { http, http_address, grpc, grpc_address })
    }
}

/// One worker for each core.
#[must_use]
fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// An HTTP server within the bounds that each verifier keeps: `/healthz`, `/readyz`, and the routes of a service. With a
/// [`service_kit::cors::SharedCorsPolicy`] among its data, browser applications of other origins may call it.
///
/// # Errors
/// Those of the system.
pub fn http_server(
    listener: TcpListener,
    following: &Following,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> std::io::Result<HttpServer> {
    let following = following.clone();
    let server = actix_web::HttpServer::new(move || {
        let certificates = following.certificates.clone();
        App::new()
            .wrap(from_fn(move |request, next| note(certificates.clone(), request, next)))
            .wrap(DefaultHeaders::new().add(("Cache-Control", "no-store")))
            .wrap(from_fn(service_kit::observe::observe))
            .configure(|app| following.routes(app))
            .configure(&routes)
    });
    let server = server
        .workers(workers())
        .worker_max_blocking_threads((BLOCKING_THREADS / workers()).max(LEAST_BLOCKING_THREADS))
        .client_request_timeout(Duration::from_secs(5))
        .keep_alive(Duration::from_secs(60))
        .shutdown_timeout(run::HTTP_DRAIN_SECONDS)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// A gRPC server within the bounds that each verifier keeps, before its layers and services.
pub fn grpc_server() -> Server {
    Server::builder()
        .timeout(CALL_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_header_list_size(16 * 1024)
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
}

/// Runs what serves until it ends, on a runtime with a thread for each core.
///
/// # Errors
/// One line: no runtime, or those of `work`.
pub fn block_on(work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// Makes the folder, not the way to it: a mistyped path must not make one.
///
/// # Errors
/// One line with the path.
pub fn make_data_dir(folder: &Path) -> Result<(), String> {
    if fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(());
    }
    DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("data_dir {}: {error}", folder.display()))
}
