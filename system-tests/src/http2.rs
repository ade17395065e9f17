//! HTTP/2 as no honest client speaks it: frames written by hand, as many as the peer lets pass.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// A peer that takes nothing for this long has pushed back.
const STALLED: Duration = Duration::from_secs(3);

/// Longest time for the peer to get through everything that it has taken.
const DIGESTED: Duration = Duration::from_secs(60);

/// The last word of a flood: anyone who answers it has read everything.
const LAST: [u8; 8] = *b"the last";

/// Frames to be sent.
#[derive(Default)]
pub struct Frames(pub Vec<u8>);

impl Frames {
    /// # Panics
    /// For a payload that no frame holds.
    pub fn push(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a frame holds less");
        self.0.extend_from_slice(&length.to_be_bytes()[1..]);
        self.0.extend_from_slice(&[kind, flags]);
        self.0.extend_from_slice(&stream.to_be_bytes());
        self.0.extend_from_slice(payload);
    }
}

/// The header block of a gRPC call (RFC 7541), nothing of it kept in the peer's table.
///
/// # Panics
/// For a path of 127 bytes or more.
#[must_use]
pub fn call_headers(path: &str) -> Vec<u8> {
    // POST and http by the static table, then `:path`, `:authority` and `content-type` by their names there.
    let mut block = vec![0x83, 0x86];
    for (name, value) in
        [(&[0x04][..], path), (&[0x01], "a"), (&[0x0f, 0x10], "application/grpc"), (b"\0\x02te", "trailers")]
    {
        block.extend_from_slice(name);
        block.push(u8::try_from(value.len()).ok().filter(|length| *length < 127).expect("a short value"));
        block.extend_from_slice(value.as_bytes());
    }
    block
}

/// What became of a flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The connection was closed, with the code of its GOAWAY if that arrived.
    Closed(Option<u32>),
    /// Everything was read.
    Absorbed,
    /// The peer took no more, and kept the connection.
    HeldBack,
}

impl Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(Some(code)) => write!(f, "GOAWAY {code}"),
            Self::Closed(None) => write!(f, "reset"),
            Self::Absorbed => write!(f, "absorbed"),
            Self::HeldBack => write!(f, "held back"),
        }
    }
}

/// What the peer has said.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    goaway: Option<u32>,
    last: bool,
    ended: bool,
}

/// Opens a connection and writes what `next` puts down until it puts down nothing, or the peer has had enough.
/// With `unresponsive`, nothing that the peer says is read.
///
/// # Panics
/// Without a connection, or when the peer does not get through with what it took.
pub async fn flood(address: SocketAddr, deaf: bool, mut next: impl FnMut(&mut Frames)) -> Fate {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (reader, mut writer) = stream.into_split();
    let (hear, mut heard) = watch::channel(Heard::default());
    let mut reader = Some(reader);
    if !deaf {
        tokio::spawn(listen(reader.take().expect("it is still here"), hear));
    }
    let mut frames = Frames(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec());
    frames.push(SETTINGS, 0, 0, &[]);
    loop {
        next(&mut frames);
        let over = frames.0.is_empty();
        if over {
            frames.push(PING, 0, 0, &LAST);
        }
        match timeout(STALLED, writer.write_all(&frames.0)).await {
            Err(_) => return Fate::HeldBack,
            Ok(Err(_)) => break,
            Ok(Ok(())) if over => break,
            Ok(Ok(())) => frames.0.clear(),
        }
    }
    if deaf {
        return Fate::Absorbed;
    }
    let said = timeout(DIGESTED, heard.wait_for(|heard| heard.last || heard.ended)).await;
    let said = *said.expect("the peer gets through").expect("the listener says how it ended");
    if said.ended { Fate::Closed(said.goaway) } else { Fate::Absorbed }
}

async fn listen(reader: impl AsyncRead + Unpin, hear: watch::Sender<Heard>) {
    let mut reader = BufReader::new(reader);
    while let Ok((kind, flags, payload)) = read_frame(&mut reader).await {
        match (kind, &payload[..]) {
            (GOAWAY, [_, _, _, _, code @ ..]) if code.len() >= 4 => {
                let code = u32::from_be_bytes([code[0], code[1], code[2], code[3]]);
                hear.send_modify(|heard| heard.goaway = Some(code));
            }
            (PING, said) if flags & ACK != 0 && said == LAST => hear.send_modify(|heard| heard.last = true),
            _ => {}
        }
    }
    hear.send_modify(|heard| heard.ended = true);
}

async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    reader.read_exact(&mut payload).await?;
    Ok((head[3], head[4], payload))
}
