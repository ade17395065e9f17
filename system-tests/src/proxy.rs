//! A way between two services that a test can close (connections are broken, and new ones refused), hold (nothing gets
//! through, and nobody is told), or make longer.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::watch;

pub struct Proxy {
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Held,
    Closed,
}

impl Proxy {
    /// An open way to `target`.
    ///
    /// # Panics
    /// Without a port.
    pub async fn to(target: SocketAddr) -> Self {
        Self::slow(target, Duration::ZERO).await
    }

    /// The same, on which everything takes so long.
    ///
    /// # Panics
    /// Without a port.
    pub async fn slow(target: SocketAddr, latency: Duration) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("a port").into_std().expect("a listener");
        let address = listener.local_addr().expect("it is bound");
        let (state, seen) = watch::channel(State::Open);
        // Of its own thread: a test that waits for a command holds up its own.
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let serve = async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((near, _)) = listener.accept().await {
                if seen.has_changed().is_err() {
                    return;
                }
                let (mut closed, way) = (seen.clone(), Way { state: seen.clone(), latency });
                tokio::spawn(async move {
                    tokio::select! {
                        () = way.carry(near, target) => {}
                        _ = closed.wait_for(|state| *state == State::Closed) => {}
                    }
                });
            }
        };
        thread::spawn(move || runtime.block_on(serve));
        Self { address, state }
    }

    pub fn set_open(&self, open: bool) {
        self.state.send_replace(if open { State::Open } else { State::Closed });
    }

    /// What is sent from now on does not arrive, and nobody is told.
    pub fn hold(&self) {
        self.state.send_replace(State::Held);
    }
}

#[derive(Clone)]
struct Way {
    state: watch::Receiver<State>,
    latency: Duration,
}

impl Way {
    /// Until either side ends; how it ends is the other's to notice.
    async fn carry(self, near: TcpStream, target: SocketAddr) {
        let Ok(far) = TcpStream::connect(target).await else { return };
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::join!(self.clone().copy(near_in, far_out), self.copy(far_in, near_out));
    }

    async fn copy(mut self, mut from: OwnedReadHalf, mut into: OwnedWriteHalf) {
        let mut room = vec![0; 64 * 1024];
        loop {
            let read = from.read(&mut room).await.unwrap_or(0);
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            if self.state.wait_for(|state| *state != State::Held).await.is_err() || read == 0 {
                let _ = into.shutdown().await;
                return;
            }
            if into.write_all(&room[..read]).await.is_err() {
                return;
            }
        }
    }
}
