//! Attacks on HTTP/2 itself: the connection that makes them ends, or they cost next to nothing.

use std::net::SocketAddr;

use notes_proto::v1::ListNotesRequest;
use notes_proto::v1::notes_service_client::NotesServiceClient;
use signet_proto::auth::v1::IntrospectRequest;
use signet_proto::auth::v1::token_service_client::TokenServiceClient;
use system_tests::bystander::Bystander;
use system_tests::drill::{figure, scale};
use system_tests::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, Frames, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, call_headers, flood,
};
use system_tests::processes::Service;
use system_tests::protocol::{channel, with_basic};
use system_tests::system::{NOTES, PASSWORD, USER};
use system_tests::{Protocol, System};

/// Memory that one attack may cost, in KiB.
const MOST_MEMORY: u64 = 32 * 1024;

/// So many frames, each written by `frame` from its number; `unresponsive` if the answers are not read.
struct Attack {
    name: &'static str,
    frames: u32,
    deaf: bool,
    opening: fn(&mut Frames, &[u8]),
    frame: fn(&mut Frames, &[u8], u32),
}

const CANCEL: [u8; 4] = 8_u32.to_be_bytes();

fn nothing(_: &mut Frames, _: &[u8]) {}

/// Streams of a client have odd numbers.
const fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn attacks() -> [Attack; 15] {
    let attack = |name, frames, opening, frame| Attack { name, frames, deaf: false, opening, frame };
    let deaf = |name, frames, opening, frame| Attack { name, frames, deaf: true, opening, frame };
    let resets = scale(5_000, 20_000);
    let many = scale(10_000, 100_000);
    type Opening = fn(&mut Frames, &[u8]);
    type Frame = fn(&mut Frames, &[u8], u32);
    let open: Opening = |to, call| to.push(HEADERS, END_HEADERS, 1, call);
    let open_half: Opening = |to, call| to.push(HEADERS, 0, 1, call);
    let ping: Frame = |to, _, _| to.push(PING, 0, 0, b"12345678");
    let settings: Frame = |to, _, _| to.push(SETTINGS, 0, 0, &[]);
    let reset: Frame = |to, call, number| {
        to.push(HEADERS, END_HEADERS, stream(number), call);
        to.push(RST_STREAM, 0, stream(number), &CANCEL);
    };
    [
        attack("rapid reset", resets, nothing, reset),
        // The client makes a mistake in each stream, and the server is the one that resets it.
        attack("made-you-reset by a window", resets, nothing, |to, call, number| {
            to.push(HEADERS, END_HEADERS, stream(number), call);
            to.push(WINDOW_UPDATE, 0, stream(number), &0x7fff_ffff_u32.to_be_bytes());
        }),
        attack("by an empty window", resets, nothing, |to, call, number| {
            to.push(HEADERS, END_HEADERS, stream(number), call);
            to.push(WINDOW_UPDATE, 0, stream(number), &[0; 4]);
        }),
        attack("by a priority", resets, nothing, |to, call, number| {
            to.push(HEADERS, END_HEADERS, stream(number), call);
            let itself = [&stream(number).to_be_bytes()[..], &[0]].concat();
            to.push(PRIORITY, 0, stream(number), &itself);
        }),
        attack("by more than the end", resets, nothing, |to, call, number| {
            to.push(HEADERS, END_HEADERS | END_STREAM, stream(number), call);
            to.push(DATA, END_STREAM, stream(number), b"x");
        }),
        attack("CONTINUATION", many, open_half, |to, _, _| {
            let header = [b"\0\x01x\x40".as_slice(), &[b'a'; 64]].concat();
            to.push(CONTINUATION, 0, 1, &header);
        }),
        attack("empty CONTINUATION", many, open_half, |to, _, _| to.push(CONTINUATION, 0, 1, &[])),
        attack("empty DATA", scale(100_000, 2_000_000), open, |to, _, _| to.push(DATA, 0, 1, &[])),
        attack("SETTINGS", many, nothing, settings),
        attack("PING", many, nothing, ping),
        deaf("SETTINGS unread", many, nothing, settings),
        deaf("PING unread", 10 * many, nothing, ping),
        deaf("answers unread", many, nothing, |to, call, number| {
            to.push(HEADERS, END_HEADERS | END_STREAM, stream(number), call);
        }),
        // Four kilobytes in the peer's table, named sixteen thousand times a block: 64 MB a stream.
        attack("HPACK bomb", scale(50, 500), lay_mine, |to, call, number| {
            to.push(HEADERS, END_HEADERS | END_STREAM, stream(number + 1), &explode(call));
        }),
        attack("HPACK bomb in parts", scale(50, 500), lay_mine, |to, call, number| {
            to.push(HEADERS, END_STREAM, stream(number + 1), &explode(call));
            to.push(CONTINUATION, 0, stream(number + 1), &[0xbe; 16_000]);
            to.push(CONTINUATION, END_HEADERS, stream(number + 1), &[0xbe; 16_000]);
        }),
    ]
}

/// Puts a header of 4000 bytes into the peer's table: number 62 there (RFC 7541, 5.1 and 6.2.1).
fn lay_mine(to: &mut Frames, call: &[u8]) {
    let mine = [call, b"\x40\x01x\x7f\xa1\x1e", &[b'a'; 4000]].concat();
    to.push(HEADERS, END_HEADERS | END_STREAM, 1, &mine);
}

fn explode(call: &[u8]) -> Vec<u8> {
    [call, &[0xbe; 16_000]].concat()
}

impl Attack {
    async fn run(&self, address: SocketAddr, call: &[u8]) -> Fate {
        let mut number = 0;
        flood(address, self.deaf, |frames| {
            if number == 0 {
                (self.opening)(frames, call);
            }
            while frames.0.len() < 16 * 1024 && number < self.frames {
                (self.frame)(frames, call, number);
                number += 1;
            }
        })
        .await
    }
}

/// Each attack in turn: none may cost much memory, and the bystander must be served all the time.
async fn withstands(service: &Service, path: &str, bystander: Bystander) -> String {
    let call = call_headers(path);
    let (mut told, mut most) = (Vec::new(), 0);
    for attack in attacks() {
        let before = service.forget_peak();
        let fate = attack.run(service.grpc, &call).await;
        let rise = service.peak_kib().saturating_sub(before);
        assert!(rise < MOST_MEMORY, "{}: {fate}, and {rise} KiB of memory", attack.name);
        most = rise.max(most);
        told.push(format!("{} {fate}", attack.name));
    }
    let times = bystander.end().await;
    format!("{}; memory +{most} KiB at most; others: {times}", told.join(", "))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_attacks_on_http2_do_not_harm_the_authority() {
    let system = System::quiet().await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let client = TokenServiceClient::new(channel(system.auth.grpc).await);
    let secret = system.notes_secret.clone();
    let bystander = Bystander::start(move || {
        let (mut client, call) = (client.clone(), IntrospectRequest { token: token.clone() });
        let call = with_basic(call, NOTES, &secret);
        async move { assert!(client.introspect(call).await.expect("an answer").into_inner().active) }
    });
    let told = withstands(&system.auth, "/signet.auth.v1.TokenService/Introspect", bystander).await;
    figure(format!("authority: {told}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_attacks_on_http2_do_not_harm_a_resource_service() {
    let system = System::quiet().await;
    let token = Protocol::Http.obtain(&system, USER, PASSWORD).await.unwrap().access;
    let client = NotesServiceClient::new(channel(system.resource.grpc).await);
    let bystander = Bystander::start(move || {
        let (mut client, mut call) = (client.clone(), tonic::Request::new(ListNotesRequest::default()));
        call.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        async move {
            client.list_notes(call).await.expect("an answer");
        }
    });
    let told = withstands(&system.resource, "/signet.notes.v1.NotesService/ListNotes", bystander).await;
    figure(format!("resource service: {told}"));
}
