use tokio::signal::unix::{SignalKind, signal};

/// Resolves at SIGTERM or SIGINT. From the call on, not from the first poll:
/// a signal that comes in between must not end the process by its default.
pub fn stop_requested() -> impl Future<Output = ()> {
    let handlers = signal(SignalKind::terminate()).and_then(|terminate| {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok((terminate, interrupt))
    });
    async {
        let Ok((mut terminate, mut interrupt)) = handlers else {
            tracing::error!("no signal handlers: the process can only be stopped by SIGKILL");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// From now on the next signal ends the process at once: it does not wait for anybody.
pub fn exit_at_next_signal() {
    let stop = stop_requested();
    tokio::spawn(async {
        stop.await;
        std::process::exit(130);
    });
}
