use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks a service's `/readyz`, so that an image needs neither a shell nor curl for its health check.
/// An unspecified address stands for this machine.
///
/// # Errors
/// One line: no answer, or not ready.
pub fn ask(bind: SocketAddr) -> Result<(), String> {
    let mut address = bind;
    if address.ip().is_unspecified() {
        address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
    }
    let status = status_line(address).map_err(|error| format!("{address}: {error}"))?;
    if status.contains(" 200 ") { Ok(()) } else { Err(format!("{address}: not ready: {status}")) }
}

fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
