//! Listeners whose connections end when the peer takes nothing, and which bear running out of descriptors.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// Pause after a connection could not be accepted. Without one the listener, which stays readable, is asked
/// again at once: tonic's own stream takes a whole core for as long as there is no descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest time in which a peer takes nothing of its answer, in milliseconds. Neither actix nor hyper gives up on a
/// write, and a connection whose answer waits is not idle.
const DEAF: u32 = 30_000;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Binds a listener, within a runtime; its connections inherit that they are cut when the peer is deaf.
///
/// # Errors
/// Those of the operating system.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    set_tcp_user_timeout(&socket, DEAF)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The connections of a listener for tonic: a stream that never ends and has no errors.
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
