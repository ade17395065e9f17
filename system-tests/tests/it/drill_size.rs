//! Requests that are much too large: refused before they have been taken in.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use notes_proto::v1::CreateNoteRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use signet_proto::auth::v1::IntrospectRequest;
use system_tests::drill::figure;
use system_tests::processes::Service;
use system_tests::protocol::{channel, client, with_basic};
use system_tests::system::{NOTES, PASSWORD, USER};
use system_tests::{Protocol, System};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::Code;

const HUGE: usize = 100_000_000;

/// Memory that one request may cost, in KiB.
const MOST_MEMORY: u64 = 16 * 1024;

/// Longest wait for an answer or the end of a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request of which `piece` is sent again and again, behind its `head`.
struct Large {
    what: &'static str,
    head: String,
    piece: Vec<u8>,
    times: usize,
    allowed: &'static [u16],
}

/// A request over HTTP/1.1, with a kind of body.
fn head(path: &str, content_type: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\n{more}\r\n")
}

/// For a path that takes bodies of one kind, with headers that let them be read.
fn all(path: &str, content_type: &str, authorization: &str) -> Vec<Large> {
    let piece = vec![b'a'; 10_000];
    let chunk = [b"2710\r\n", &piece[..], b"\r\n"].concat();
    let bomb = gzip(40_000_000);
    let with = |more: String| head(path, content_type, &format!("{authorization}{more}"));
    let form = format!("{authorization}content-length: 4000000\r\n");
    let header = format!("GET {path} HTTP/1.1\r\nhost: a\r\n");
    let too_large: &[u16] = &[413];
    let too_long: &[u16] = &[400, 431];
    let large = |what, head, piece: &[u8], times, allowed| Large {
        what,
        head,
        piece: piece.to_vec(),
        times,
        allowed,
    };
    vec![
        large(
            "a body of 100 MB",
            with(format!("content-length: {HUGE}\r\n")),
            &piece,
            HUGE / 10_000,
            too_large,
        ),
        large(
            "one in chunks",
            with("transfer-encoding: chunked\r\n".to_owned()),
            &chunk,
            HUGE / 10_000,
            too_large,
        ),
        large("a header of 1 MB", format!("{header}x: "), &piece, 100, too_long),
        large("100,000 headers", header.clone(), b"x: y\r\n", 100_000, too_long),
        large("100,000 cookies", format!("{header}cookie: "), b"a=1; ", 100_000, too_long),
        large("a target of 1 MB", "GET /".to_owned(), &piece, 100, &[400, 414, 431]),
        large(
            "a million form fields",
            head(path, "application/x-www-form-urlencoded", &form),
            b"a=1&",
            1_000_000,
            &[413, 415],
        ),
        large(
            "a gzip bomb",
            with(format!("content-encoding: gzip\r\ncontent-length: {}\r\n", bomb.len())),
            &bomb,
            1,
            &[400, 413, 415],
        ),
    ]
}

/// So many zeros, packed.
fn gzip(zeros: usize) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&vec![0; zeros]).unwrap());
    let packed = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    assert!(packed.len() < 60_000, "small enough to be read: {}", packed.len());
    packed
}

impl Large {
    /// The status that it is answered with, none if the connection just ends; and how much of it was sent before.
    async fn send(&self, address: SocketAddr) -> (Option<u16>, usize) {
        let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
        let mut sent = 0;
        let talk = async {
            write.write_all(self.head.as_bytes()).await?;
            for _ in 0..self.times {
                write.write_all(&self.piece).await?;
                sent += self.piece.len();
            }
            std::io::Result::Ok(())
        };
        let mut answer = [0; 12];
        let listen = read.read_exact(&mut answer);
        tokio::pin!(listen);
        let heard = async {
            tokio::select! {
                heard = &mut listen => heard,
                // Anyone who closed the connection may have said why before.
                _ = talk => listen.await,
            }
        };
        let heard = timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{}: no answer", self.what));
        let status = heard.ok().map(|_| String::from_utf8_lossy(&answer[9..]).parse().unwrap());
        (status, sent)
    }
}

/// Everything that is too large in turn, and the memory that it costs at most.
async fn refuses(service: &Service, requests: Vec<Large>) -> String {
    let (mut told, mut most) = (Vec::new(), 0);
    for large in requests {
        let before = service.forget_peak();
        let (status, sent) = large.send(service.http).await;
        let rise = service.peak_kib().saturating_sub(before);
        let allowed = status.is_none_or(|status| large.allowed.contains(&status));
        assert!(allowed, "{}: {status:?} after {sent} bytes", large.what);
        assert!(rise < MOST_MEMORY, "{}: {rise} KiB of memory", large.what);
        assert!(sent < 10_000_000, "{}: {sent} bytes were sent", large.what);
        most = rise.max(most);
        let answer = status.map_or("connection closed".to_owned(), |status| status.to_string());
        told.push(format!("{}: {answer}", large.what));
    }
    format!("{}; memory +{most} KiB at most", told.join(", "))
}

/// A message over gRPC that is too large: its refusal, and what it costs in KiB.
async fn refuses_message<T>(
    service: &Service,
    call: impl Future<Output = Result<T, tonic::Status>>,
) -> String {
    let before = service.forget_peak();
    let code = call.await.map(drop).expect_err("it is refused").code();
    assert!(matches!(code, Code::OutOfRange | Code::ResourceExhausted), "{code:?}");
    let rise = service.peak_kib().saturating_sub(before);
    assert!(rise < MOST_MEMORY, "{rise} KiB of memory");
    format!("a message of 100 MB: {code:?}, memory +{rise} KiB")
}

#[tokio::test]
async fn f34_the_authority_takes_in_nothing_that_is_much_too_large() {
    let system = System::quiet().await;
    let simplejwt = refuses(&system.auth, all("/api/token/", "application/json", "")).await;
    let _ = refuses(&system.auth, all("/oauth2/token", "application/x-www-form-urlencoded", "")).await;
    let message = with_basic(IntrospectRequest { token: "x".repeat(HUGE) }, NOTES, &system.notes_secret);
    let mut grpc = client(&system).await;
    let grpc = refuses_message(&system.auth, grpc.introspect(message)).await;
    Protocol::Http.obtain(&system, USER, PASSWORD).await.expect("it serves");
    figure(format!("authority: {simplejwt}; {grpc}"));
}

#[tokio::test]
async fn f34_a_resource_service_takes_in_nothing_that_is_much_too_large() {
    let system = System::quiet().await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let bearer = format!("Bearer {token}");
    let http = all("/notes", "application/json", &format!("authorization: {bearer}\r\n"));
    let http = refuses(&system.resource, http).await;
    let mut call = tonic::Request::new(CreateNoteRequest { text: "x".repeat(HUGE) });
    call.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let mut grpc = NotesServiceClient::new(channel(system.resource.grpc).await);
    let grpc = refuses_message(&system.resource, grpc.create_note(call)).await;
    assert!(system.notes_accept(&token).await);
    figure(format!("resource service: {http}; {grpc}"));
}
