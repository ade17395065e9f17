//! Connections for tonic, from a listener that bears running out of descriptors.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// Pause after a connection could not be accepted. Without one the listener, which stays readable, is asked
/// again at once: tonic's own stream takes a whole core for as long as there is no descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// A stream of connections that never ends and has no errors.
pub struct Accepted {
    listener: TcpListener,
    pause: Option<Pin<Box<Sleep>>>,
    /// Whether the last try failed: a run of failures is logged once.
    failing: bool,
}

impl Accepted {
    #[must_use]
    pub const fn from(listener: TcpListener) -> Self {
        Self { listener, pause: None, failing: false }
    }
}

impl Stream for Accepted {
    type Item = io::Result<TcpStream>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match ready!(self.listener.poll_accept(context)) {
                Ok((stream, _)) => {
                    self.failing = false;
                    // A connection that is gone already shows it when it is read.
                    let _ = stream.set_nodelay(true);
                    return Poll::Ready(Some(Ok(stream)));
                }
                // The peer has gone away before it was accepted.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(%error, "no connection can be accepted");
                    }
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
        }
    }
}
