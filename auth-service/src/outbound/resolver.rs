use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Reachable;

/// The addresses of a name, or why there are none.
pub type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// What names mean.
pub trait Names: Send + Sync {
    fn look_up(&self, name: &str) -> Addresses;
}

/// As the system says.
pub(super) struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str) -> Addresses {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Resolves names for connections, and keeps the addresses that may be asked.
pub(super) struct Resolver {
    names: Arc<dyn Names>,
    reachable: Arc<Reachable>,
    /// Whether it is for connections with TLS.
    encrypted: bool,
}

/// A name has none of them.
#[derive(Debug, thiserror::Error)]
#[error("no address that may be asked")]
pub(super) struct NoAddress;

impl Resolver {
    pub(super) fn new(names: Arc<dyn Names>, reachable: Arc<Reachable>, encrypted: bool) -> Self {
        Self { names, reachable, encrypted }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.names.look_up(name.as_str());
        let (reachable, encrypted) = (Arc::clone(&self.reachable), self.encrypted);
        Box::pin(async move {
            let mut allowed = found.await?;
            allowed.retain(|address| reachable.allows(*address, encrypted));
            if allowed.is_empty() {
                return Err(NoAddress.into());
            }
            // The port is that of the URL.
            let addresses: Addrs = Box::new(allowed.into_iter().map(|address| (address, 0).into()));
            Ok(addresses)
        })
    }
}
