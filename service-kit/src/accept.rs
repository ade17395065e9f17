//! Listeners whose connections end when the client IP takes nothing, which bear running out of descriptors, and whose gRPC
//! client IPs must begin.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use crate::client_certificates::ClientCertificates;
use crate::replay::{PREFACE_BYTES, Replay};

/// Pause after a connection could not be accepted. Without one the listener, which stays readable, is asked
/// again at once: tonic's own stream takes a whole core for as long as there is no descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest time in which a client IP takes nothing of its answer, in milliseconds. Neither actix nor hyper gives up on a
/// write, and a connection whose answer waits is not idle.
const UNRESPONSIVE: u32 = 30_000;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Bytes that the operating system holds for a client IP that reads slowly; Linux doubles it. Of its own accord it would hold
/// up to 4 MiB for each of those who read nothing.
const SEND_BUFFER: u32 = 64 * 1024;

/// Raises the number of open files and sockets to what this process may have. The limit that it starts with is often
/// 1,024, because `select` can name no more; nothing here uses that.
pub fn raise_descriptor_limit() {
    let allowed = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: allowed.maximum, maximum: allowed.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, limit = ?allowed.current, "the limit of open sockets cannot be raised");
    }
}

/// Binds the listener of a setting, within a runtime; its connections inherit that they are cut when the client IP is unresponsive.
///
/// # Errors
/// One line: the setting, the address, and what the operating system said.
pub fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, String> {
    try_bind(address).map_err(|error| format!("{setting} {address}: {error}"))
}

fn try_bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    set_tcp_user_timeout(&socket, UNRESPONSIVE)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Time for a client to send it; hyper would wait for ever.
const PREFACE_TIMEOUT: Duration = Duration::from_secs(5);

/// TLS handshakes that may be under way; more connections are closed.
const MAX_HANDSHAKES: usize = 256;

/// How often it is looked for while less than all of it is there.
const PREFACE_PAUSE: Duration = Duration::from_millis(20);

/// The connections of a listener for tonic, each as soon as its client has begun. Within a runtime.
pub fn begun(listener: TcpListener) -> ReceiverStream<io::Result<TcpStream>> {
    let (connections, stream) = mpsc::channel(1);
    tokio::spawn(accept(listener, connections, greet));
    ReceiverStream::new(stream)
}

/// A connection over TLS.
pub type OverTls = Replay<TlsStream<TcpStream>>;

/// The same over TLS.
pub fn begun_over_tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    certificates: ClientCertificates,
) -> ReceiverStream<io::Result<OverTls>> {
    let (connections, stream) = mpsc::channel(1);
    let (acceptor, handshakes) = (TlsAcceptor::from(config), Arc::new(Semaphore::new(MAX_HANDSHAKES)));
    let shake_hands = move |stream, connections| {
        let (acceptor, permit) = (acceptor.clone(), Arc::clone(&handshakes).try_acquire_owned());
        let certificates = certificates.clone();
        async move {
            // A flood of handshakes must not take the cores from calls that are under way.
            if let Ok(_permit) = permit {
                shake_hands(acceptor, &certificates, stream, connections).await;
            }
        }
    };
    tokio::spawn(accept(listener, connections, shake_hands));
    ReceiverStream::new(stream)
}

/// Ends, together with the listener, when connections are no longer accepted.
async fn accept<S: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    connections: mpsc::Sender<io::Result<S>>,
    greet: impl Fn(TcpStream, mpsc::Sender<io::Result<S>>) -> F,
) {
    // A run of failures is logged once.
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            () = connections.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                failing = false;
                tokio::spawn(greet(stream, connections.clone()));
            }
            // The client IP has gone away before it was accepted.
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(%error, "no connection can be accepted");
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Hands a connection on when its client has begun; one that has not in time is closed.
async fn greet(stream: TcpStream, connections: mpsc::Sender<io::Result<TcpStream>>) {
    // A connection that is gone already shows it when it is read.
    let _ = stream.set_nodelay(true);
    if let Ok(Ok(true)) = timeout(PREFACE_TIMEOUT, has_begun(&stream)).await {
        let _ = connections.send(Ok(stream)).await;
    }
}

/// Hands a connection on when its handshake is done and its client has begun; one that takes too long, or fails, is closed.
async fn shake_hands(
    acceptor: TlsAcceptor,
    certificates: &ClientCertificates,
    stream: TcpStream,
    connections: mpsc::Sender<io::Result<OverTls>>,
) {
    let _ = stream.set_nodelay(true);
    let begun = async {
        let stream = acceptor.accept(stream).await?;
        let certificate = certificates.of_connection(stream.get_ref().1.peer_certificates());
        Replay::after_preface(stream, certificate).await
    };
    if let Ok(Ok(stream)) = timeout(PREFACE_TIMEOUT, begun).await {
        let _ = connections.send(Ok(stream)).await;
    }
}

/// `false` for a client that has hung up. Nothing is taken out of the stream.
async fn has_begun(stream: &TcpStream) -> io::Result<bool> {
    let mut preface = [0; PREFACE_BYTES];
    loop {
        match stream.peek(&mut preface).await? {
            0 => return Ok(false),
            PREFACE_BYTES => return Ok(true),
            // The rest is on its way, or never comes: what is there would be reported at once again.
            _ => sleep(PREFACE_PAUSE).await,
        }
    }
}
