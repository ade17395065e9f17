use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::unauthenticated;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks a service's `/readyz`, so that an image needs neither a shell nor curl for its health check.
/// An unspecified address stands for this machine.
///
/// # Errors
/// One line: no answer, or not ready.
pub fn ask(bind: SocketAddr, over_tls: bool) -> Result<(), String> {
    let mut address = bind;
    if address.ip().is_unspecified() {
        address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
    }
    let status = status_line(address, over_tls).map_err(|error| format!("{address}: {error}"))?;
    if status.contains(" 200 ") { Ok(()) } else { Err(format!("{address}: not ready: {status}")) }
}

fn status_line(address: SocketAddr, over_tls: bool) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    if over_tls { first_line(unauthenticated::connect(stream)?) } else { first_line(stream) }
}

fn first_line(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..read]);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
