use std::net::SocketAddr;

use tonic::transport::{Channel, Endpoint};

/// A connection to a gRPC listener.
///
/// # Panics
/// Without one.
pub async fn channel(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address makes a URL");
    endpoint.connect().await.expect("the service answers")
}
