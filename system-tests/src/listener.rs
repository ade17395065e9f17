//! A small HTTP server that a test answers for: it keeps what it is sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What was sent.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// It listens until it is dropped.
pub struct Listener {
    pub address: SocketAddr,
    received: Mutex<UnboundedReceiver<Received>>,
    status: Arc<AtomicU16>,
    task: JoinHandle<()>,
}

impl Listener {
    /// On a free port, answering 200.
    ///
    /// # Panics
    /// Without a port.
    pub async fn start() -> Self {
        Self::on("127.0.0.1:0").await
    }

    /// # Panics
    /// When the address is taken.
    pub async fn on(address: &str) -> Self {
        let socket = TcpListener::bind(address).await.expect("an address");
        let address = socket.local_addr().expect("an address");
        let (sender, receiver) = unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let of_task = Arc::clone(&status);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(answer(stream, sender.clone(), of_task.load(Ordering::SeqCst)));
            }
        });
        Self { address, received: Mutex::new(receiver), status, task }
    }

    /// What it answers from now on.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn next(&self, within: Duration) -> Received {
        let mut received = self.received.lock().await;
        let next = tokio::time::timeout(within, received.recv()).await;
        next.expect("a request in time").expect("a request")
    }

    /// Whether nothing comes for so long.
    pub async fn none_within(&self, time: Duration) -> bool {
        let mut received = self.received.lock().await;
        tokio::time::timeout(time, received.recv()).await.is_err()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, sender: UnboundedSender<Received>, status: u16) {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let Ok(read) = stream.read(&mut part).await else { return };
        bytes.extend_from_slice(&part[..read]);
        if let Some(received) = parsed(&bytes) {
            // The test may have seen enough.
            let _ = sender.send(received);
            break;
        }
        if read == 0 {
            return;
        }
    }
    let text = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes()).await;
}

fn parsed(bytes: &[u8]) -> Option<Received> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap_or(0));
    (body.len() >= length).then(|| Received {
        at: Instant::now(),
        method,
        path,
        headers,
        body: body.to_owned(),
    })
}
