//! The one client that fetches what others publish: no URL leads it to a host that its caller could not reach.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_service::outbound::{Addresses, FetchError, Names, Outbound, Reachable};
use service_kit::networks::Networks;

/// A server on loopback that counts who connects, and answers each of them the same.
pub(crate) struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    pub(crate) fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            answer: Arc::new(Mutex::new(answer.into())),
        };
        let (connections, answer) = (Arc::clone(&server.connections), Arc::clone(&server.answer));
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                connections.fetch_add(1, Ordering::SeqCst);
                // The head of a request without a body fits in one read, on loopback.
                let _ = stream.read(&mut [0; 4096]);
                let answer = answer.lock().unwrap().clone();
                let _ = stream.write_all(&answer);
            }
        });
        server
    }

    pub(crate) fn answer(&self, answer: impl Into<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer.into();
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Names that mean what a test says; each look-up takes the next meaning, and the last one stays.
#[derive(Default)]
struct Fixed(Mutex<HashMap<String, Vec<&'static str>>>);

impl Fixed {
    fn with(self, name: &str, meanings: &[&'static str]) -> Self {
        self.0.lock().unwrap().insert(name.to_owned(), meanings.to_vec());
        self
    }
}

impl Names for Fixed {
    fn look_up(&self, name: &str) -> Addresses {
        let mut names = self.0.lock().unwrap();
        let meaning = names
            .get_mut(name)
            .map(|meanings| if meanings.len() > 1 { meanings.remove(0) } else { meanings[0] });
        let addresses =
            meaning.map(|text| text.split(' ').map(|word| word.parse::<IpAddr>().unwrap()).collect());
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, "no such name");
        let found = addresses.ok_or_else(missing);
        Box::pin(async move { found })
    }
}

fn outbound(names: Fixed, networks: &str) -> Outbound {
    let reachable = Reachable::new(Networks::parse(networks).unwrap());
    Outbound::with_names(Arc::new(names), reachable, None).unwrap()
}

fn get(outbound: &Outbound, url: &str) -> Result<Vec<u8>, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(outbound.get(url, 1000)).map(|fetched| fetched.body)
}

/// A way to write the address of this machine, or one beside it, or a name that means one.
const INTERNAL_HOSTS: &str = "127.0.0.1 127.1 127.0.1 0177.0.0.1 0x7f.0.0.1 2130706433 0x7f000001 017700000001 0.0.0.0 0 [::1] [::] \
    [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::7f00:1] [fe80::1] [fd00:ec2::254] 169.254.169.254 10.0.0.1 192.168.0.1 172.16.0.1 \
    100.64.0.1 %31%32%37.0.0.1 ①②⑦.⓪.⓪.① internal.test metadata.test mapped.test nat64.test several.test rebinding.test localhost \
    unknown.test";

/// What is no URL that is fetched, whatever it may lead to.
const OTHER_URLS: &str = "https://user@127.0.0.1:PORT/ https://:password@127.0.0.1:PORT/ https://1.1.1.1#@127.0.0.1:PORT/ \
    file:///etc/passwd ftp://127.0.0.1:PORT/ gopher://127.0.0.1:PORT/ data:application/json,{} unix:/run/signet //127.0.0.1:PORT/ \
    127.0.0.1:PORT https:// https://%20127.0.0.1/ https:\\\\127.0.0.1:PORT/";

#[test]
fn no_url_leads_into_the_network_of_the_authority() {
    let server = Server::answering(ok("{}"));
    let port = server.address.port().to_string();
    let names = Fixed::default()
        .with("internal.test", &["127.0.0.1"])
        .with("metadata.test", &["169.254.169.254"])
        .with("mapped.test", &["::ffff:127.0.0.1"])
        .with("nat64.test", &["64:ff9b::127.0.0.1"])
        .with("several.test", &["10.0.0.1 127.0.0.1 ::1"])
        .with("rebinding.test", &["127.0.0.2", "127.0.0.1"]);
    let outbound = outbound(names, "");
    for host in INTERNAL_HOSTS.split_whitespace() {
        for scheme in ["http", "https"] {
            let got = get(&outbound, &format!("{scheme}://{host}:{port}/"));
            assert!(got.is_err(), "{scheme}://{host}: {got:?}");
        }
    }
    for text in OTHER_URLS.split(' ').chain([""]) {
        assert!(get(&outbound, &text.replace("PORT", &port)).is_err(), "{text}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_name_that_comes_to_mean_another_address_is_asked_there_only_if_that_may_be_asked() {
    let server = Server::answering(ok("{}"));
    let port = server.address.port();
    let names = Fixed::default().with("rebinding.test", &["127.0.0.2", "127.0.0.1"]);
    let outbound = outbound(names, "127.0.0.1");
    let url = format!("http://rebinding.test:{port}/");
    assert_eq!(get(&outbound, &url), Err(FetchError::Address), "not there");
    assert_eq!(get(&outbound, &url), Ok(b"{}".to_vec()), "there, in a network of the operator");
}

#[test]
fn a_redirect_leads_nowhere() {
    let secret = Server::answering(ok("{}"));
    let moved = |status: &str| {
        format!(
            "HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            secret.url("/")
        )
    };
    for (status, number) in [
        ("301 Moved", 301),
        ("302 Found", 302),
        ("303 See Other", 303),
        ("307 Temporary", 307),
        ("308 Permanent", 308),
    ] {
        let server = Server::answering(moved(status));
        let outbound = outbound(Fixed::default(), "127.0.0.0/8");
        assert_eq!(get(&outbound, &server.url("/")), Err(FetchError::Status(number)));
    }
    assert_eq!(secret.connections(), 0);
}

#[test]
fn a_document_is_bounded_in_size_whatever_it_says_itself() {
    let outbound = outbound(Fixed::default(), "127.0.0.0/8");
    let server = Server::answering(ok(&"x".repeat(1000)));
    assert_eq!(get(&outbound, &server.url("/")).map(|body| body.len()), Ok(1000));
    server.answer(ok(&"x".repeat(1001)));
    assert_eq!(get(&outbound, &server.url("/")), Err(FetchError::TooLarge(1000)));
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
        "x".repeat(1001)
    );
    server.answer(chunks);
    assert_eq!(get(&outbound, &server.url("/")), Err(FetchError::TooLarge(1000)), "in chunks");
    server.answer(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(1001)));
    assert_eq!(
        get(&outbound, &server.url("/")),
        Err(FetchError::TooLarge(1000)),
        "until the connection ends"
    );
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let outbound = outbound(Fixed::default(), "127.0.0.0/8");
    let begun = std::time::Instant::now();
    assert_eq!(get(&outbound, &url), Err(FetchError::TimedOut));
    assert!(begun.elapsed() >= Duration::from_secs(5), "by its own bound");
    drop(listener);
}
