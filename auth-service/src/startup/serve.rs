use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use service_kit::accept;
use service_kit::metrics::Recorded;
use service_kit::run::{self, End};
use service_kit::signals::stop_requested;

use super::Result;
use super::last_seen::note_last_seen;
use super::sample::sample_metrics;
use crate::authority::Authority;
use crate::authority::sync::{StateSync, SweepPolicy, start_sweep};
use crate::backchannel;
use crate::blocking::{self, Blocking};
use crate::grpc::{self, GrpcState};
use crate::http::{self, HttpState};
use crate::mail::Mailer;
use crate::metrics;
use crate::settings::Settings;

/// Serves until SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Errors
/// One line: a listener that cannot be bound, a transport that broke.
pub fn serve(settings: &Settings, authority: &Arc<Authority>, recorded: Recorded) -> Result<()> {
    accept::raise_descriptor_limit();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .max_blocking_threads(blocking::THREADS)
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    // Rows of a version that knew less, before anybody asks for them.
    authority
        .storage
        .complete_users(authority.simplejwt.numbers_users())
        .map_err(|error| error.to_string())?;
    authority.refresh_dummies().map_err(|error| error.cause)?;
    authority.storage.answer_soon();
    metrics::begin();
    authority.sign_in.hasher.start()?;
    authority.account.mailer.as_ref().map_or(Ok(()), Mailer::start_sending)?;
    let state_sync = StateSync::start(authority).map_err(|error| error.cause)?;
    let policy = SweepPolicy {
        interval: settings.sweep.interval,
        keep: settings.sweep.keep,
        audit_keep: settings.audit.keep,
    };
    let (noting, seen_by) = (settings.clone(), Arc::clone(authority));
    let note = move || note_last_seen(&noting, &seen_by);
    let sweeper = start_sweep(Arc::clone(authority), policy, note).map_err(|error| error.cause)?;
    let outcome = runtime.block_on(serve_until_stopped(settings, authority, cores, recorded));
    let (noting, seen_by) = (settings.clone(), Arc::clone(authority));
    end_within(END_WAIT, move || {
        note_last_seen(&noting, &seen_by);
        drop(sweeper);
        drop(state_sync);
    });
    runtime.shutdown_timeout(Duration::from_millis(300));
    outcome
}

/// Longest wait at the end for a poll of the database, or a sweep, that is under way.
const END_WAIT: Duration = Duration::from_millis(1500);

/// A database that is frozen would else hold the process for as long as it is: nothing ends a wait for libpq.
/// What is under way there is one transaction, which is whole or was never made.
fn end_within(bound: Duration, work: impl FnOnce() + Send + 'static) {
    let (ended, told) = channel();
    let work = move || {
        work();
        // The receiver is gone if it took too long.
        let _ = ended.send(());
    };
    let started = thread::Builder::new().name("ending".to_owned()).spawn(work);
    if started.is_err() || told.recv_timeout(bound).is_err() {
        tracing::warn!("the database does not answer; requests that wait for it are abandoned");
    }
}

async fn serve_until_stopped(
    settings: &Settings,
    authority: &Arc<Authority>,
    cores: usize,
    recorded: Recorded,
) -> Result<()> {
    // Before it reports ready.
    let told = stop_requested();
    let blocking = Blocking::new(tokio::runtime::Handle::current(), Arc::clone(authority));
    let certificates = settings.tls.client_certificates()?;
    let tls = settings.tls.load(&certificates)?;
    let http_listener = accept::bind("http.bind", settings.http.bind)?;
    let http_address = http_listener.local_addr().map_err(|error| error.to_string())?;
    let grpc_listener = accept::bind("grpc.bind", settings.grpc.bind)?;
    let grpc_address = grpc_listener.local_addr().map_err(|error| error.to_string())?;

    let sampled = Arc::clone(authority);
    let metrics = service_kit::metrics::serve(settings.metrics, recorded, move || sample_metrics(&sampled))?;
    let state = HttpState::new(Arc::clone(authority), blocking.clone(), settings, certificates.clone())?;
    let http =
        http_listener.into_std().and_then(|listener| http::server(listener, tls.as_ref(), &state, cores));
    let http = http.map_err(|error| format!("http: {error}"))?;
    let end = End::default();
    let grpc_state = GrpcState {
        authority: Arc::clone(authority),
        blocking,
        settings: settings.grpc.clone(),
        proxies: settings.trusted_proxies.clone(),
        tls: tls.clone(),
        certificates,
    };
    if let Some(tls) = tls {
        tokio::spawn(tls.reload(end.stopping.clone()));
    }
    backchannel::start(Arc::clone(authority), settings.openid.logout_timeout, end.stopping.clone())?;
    let (closing, draining) = (Arc::clone(authority), end.draining.clone());
    tokio::spawn(async move {
        draining.cancelled().await;
        closing.sync.feeds.close();
    });
    let (drain_delay, grpc_end) = (settings.drain_delay, end.clone());
    let issuer = settings.issuer.clone();
    let grpc = tokio::spawn(async move { grpc::serve(grpc_listener, grpc_state, grpc_end).await });
    tracing::info!(http = %http_address, grpc = %grpc_address, metrics = metrics.address(), issuer, "ready");
    run::until_stopped(told, http, grpc, metrics, end, drain_delay).await
}
