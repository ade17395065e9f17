use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::output::Output;
use super::{Done, Failure};
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks `/readyz`, so that an image needs neither a shell nor curl for its health check.
pub fn run(settings: &Settings, output: &Output) -> Done {
    let mut address = settings.http.bind;
    if address.ip().is_unspecified() {
        address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port());
    }
    let status = ask(address).map_err(|error| Failure::Failed(format!("{address}: {error}")))?;
    if !status.contains(" 200 ") {
        return Err(Failure::Failed(format!("{address}: not ready: {status}")));
    }
    output.result(&json!({"ready": true}), "ready");
    Ok(())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
