use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is told to stop, by SIGTERM or SIGINT.
pub async fn told_to_stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("no signal handlers: the process can only be stopped by SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// From now on the next signal ends the process at once: it does not wait for anybody.
pub fn exit_at_next_signal() {
    tokio::spawn(async {
        told_to_stop().await;
        std::process::exit(130);
    });
}
