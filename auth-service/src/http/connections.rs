//! What is known of a connection besides its requests: whether the caller is still there, and how many answers it has
//! held back.

use std::any::Any;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use service_kit::client_certificates::ClientCertificates;

use crate::shares::{Share, Shares};

/// Keeps what its requests may need to know of a connection: whether its caller is still there, and its certificate.
pub(super) fn note_connection(
    connection: &dyn Any,
    data: &mut Extensions,
    certificates: &ClientCertificates,
) {
    Caller::note(connection, data);
    let over_tls = connection.downcast_ref::<TlsStream<TcpStream>>();
    let chain = over_tls.and_then(|stream| stream.get_ref().1.peer_certificates());
    if let Some(shown) = certificates.of_connection(chain) {
        data.insert(shown);
    }
}

/// Most connections that are watched so: each takes a second descriptor.
const MAX_WATCHED: usize = 2048;

static WATCHED: AtomicUsize = AtomicUsize::new(0);

/// A second handle on a connection. actix goes on with a request whose caller has hung up.
pub(super) struct Caller(OwnedFd);

impl Caller {
    /// Keeps one with each connection, up to a number of them.
    fn note(connection: &dyn Any, data: &mut Extensions) {
        let over_tls = || connection.downcast_ref::<TlsStream<TcpStream>>().map(|stream| stream.get_ref().0);
        let Some(stream) = connection.downcast_ref::<TcpStream>().or_else(over_tls) else { return };
        if WATCHED.fetch_add(1, Ordering::Relaxed) >= MAX_WATCHED {
            WATCHED.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        match stream.as_fd().try_clone_to_owned() {
            Ok(handle) => drop(data.insert(Self(handle))),
            Err(_) => drop(WATCHED.fetch_sub(1, Ordering::Relaxed)),
        }
    }

    /// Whether the caller has closed the connection, or it is broken. Takes nothing out of it.
    pub(super) fn has_hung_up(&self) -> bool {
        let mut byte = [0_u8; 1];
        match recv(&self.0, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((0, _)) => true,
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => true,
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        WATCHED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers that are held back (long polls), counted in all and for each client IP.
#[derive(Clone)]
pub(super) struct LongPolls {
    most: usize,
    most_of_one: usize,
    waiting: Shares<Option<IpAddr>>,
}

/// One of them; ends when it is dropped.
pub(super) type LongPoll = Share<Option<IpAddr>>;

impl LongPolls {
    pub(super) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, waiting: Shares::default() }
    }

    /// `None` when there are too many already, in all or of this address: it is answered at once then.
    pub(super) fn enter(&self, address: Option<IpAddr>) -> Option<LongPoll> {
        self.waiting.take(&address, |all, of_address| all < self.most && of_address < self.most_of_one)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream as StdStream};

    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_share_and_leaving_frees_it() {
        let polls = LongPolls::new(5, 3);
        let (one, other) = (Some(IpAddr::from([192, 0, 2, 1])), Some(IpAddr::from([192, 0, 2, 2])));
        let mut held: Vec<_> = (0..3).map(|_| polls.enter(one).unwrap()).collect();
        assert!(polls.enter(one).is_none());
        let others = [polls.enter(other).unwrap(), polls.enter(None).unwrap()];
        assert!(polls.enter(other).is_none(), "all are taken");
        drop(held.pop());
        drop(others);
        assert!(polls.enter(one).is_some() && polls.enter(other).is_some());
        drop(held);
        assert_eq!(polls.waiting.taken(), (0, 0));
    }

    #[test]
    fn a_caller_that_hangs_up_is_noticed_and_one_that_sends_more_is_not_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut caller = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let watched = Caller(OwnedFd::from(stream));
        WATCHED.fetch_add(1, Ordering::Relaxed);
        assert!(!watched.has_hung_up());
        caller.write_all(b"GET / HTTP/1.1").unwrap();
        assert!(!watched.has_hung_up() && !watched.has_hung_up(), "nothing is taken out");
        let mut read = [0; 14];
        recv(&watched.0, &mut read, RecvFlags::empty()).unwrap();
        drop(caller);
        let gone = (0..500).any(|_| {
            std::thread::yield_now();
            watched.has_hung_up()
        });
        assert!(gone);
    }
}
