//! The one HTTP client that fetches what others publish: bounded in size and time, without redirects, and from public addresses
//! alone, so that a caller who names a URL cannot make the authority ask a host of its own network (SSRF).
//!
//! An address is looked at when the connection to it is made, not before: a name that means another address a moment later
//! (DNS rebinding) gains nothing.

mod address;
mod error;
mod resolver;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Certificate, Client, Url, redirect};
use url::Host;

pub use address::Reachable;
pub use error::FetchError;
use error::{MAX_URL_BYTES, WHOLE, failed};
pub use resolver::{Addresses, Names};
use resolver::{Resolver, SystemNames};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// A document that was fetched.
#[derive(Debug)]
pub struct Fetched {
    pub body: Vec<u8>,
    /// For how long it may be kept, as its server says (RFC 9111 section 5.2.2.1).
    pub max_age: Option<Duration>,
}

/// Fetches documents.
pub struct Outbound {
    /// Made when it is first needed, as is the other: no command line fetches.
    encrypted: OnceLock<Result<Client, String>>,
    /// For the operator's networks alone.
    clear: OnceLock<Result<Client, String>>,
    names: Arc<dyn Names>,
    reachable: Arc<Reachable>,
    /// To trust beside those of the system.
    authorities: Vec<Certificate>,
}

impl Outbound {
    /// With certificate authorities beside those of the system, in PEM.
    ///
    /// # Errors
    /// In one line: the certificates are unreadable.
    pub fn new(reachable: Reachable, authorities: Option<&[u8]>) -> Result<Self, String> {
        Self::with_names(Arc::new(SystemNames), reachable, authorities)
    }

    /// The same with names of the caller's own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_names(
        names: Arc<dyn Names>,
        reachable: Reachable,
        authorities: Option<&[u8]>,
    ) -> Result<Self, String> {
        let authorities = authorities.map(Certificate::from_pem_bundle).transpose();
        Ok(Self {
            encrypted: OnceLock::new(),
            clear: OnceLock::new(),
            names,
            reachable: Arc::new(reachable),
            authorities: authorities.map_err(|error| error.to_string())?.unwrap_or_default(),
        })
    }

    fn client(&self, url: &Url) -> Result<&Client, FetchError> {
        let encrypted = url.scheme() == "https";
        let place = if encrypted { &self.encrypted } else { &self.clear };
        let made = place.get_or_init(|| {
            let builder = Client::builder()
                .connect_timeout(CONNECT)
                .timeout(WHOLE)
                .redirect(redirect::Policy::none())
                // A proxy would resolve the name itself.
                .no_proxy()
                .referer(false)
                .dns_resolver(Resolver::new(Arc::clone(&self.names), Arc::clone(&self.reachable), encrypted))
                .tls_certs_merge(self.authorities.clone());
            builder.build().map_err(|error| error.to_string())
        });
        made.as_ref().map_err(|cause| FetchError::Failed(cause.clone()))
    }

    /// Whether a URL is one that could be fetched, as far as it says itself: https, or http within the networks of the operator.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Address`].
    pub fn check_url(&self, text: &str) -> Result<Url, FetchError> {
        let url = Url::parse(text).ok().filter(|_| text.len() <= MAX_URL_BYTES).ok_or(FetchError::Url)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let encrypted = match url.scheme() {
            "https" => true,
            "http" if self.reachable.has_networks() => false,
            _ => return Err(FetchError::Url),
        };
        if !plain {
            return Err(FetchError::Url);
        }
        // What is no name is not resolved.
        let may_be = match url.host() {
            Some(Host::Ipv4(address)) => self.reachable.allows(address.into(), encrypted),
            Some(Host::Ipv6(address)) => self.reachable.allows(address.into(), encrypted),
            Some(Host::Domain(_)) => true,
            None => false,
        };
        if may_be { Ok(url) } else { Err(FetchError::Address) }
    }

    /// # Errors
    /// [`FetchError`].
    pub async fn get(&self, text: &str, max_bytes: usize) -> Result<Fetched, FetchError> {
        let url = self.check_url(text)?;
        let request = self.client(&url)?.get(url).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(FetchError::Status(status));
        }
        let cache_control = answer.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
        let max_age = cache_control.and_then(max_age);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > max_bytes {
                return Err(FetchError::TooLarge(max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Fetched { body, max_age })
    }
}

fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').map(str::trim);
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    seconds.parse().ok().map(Duration::from_secs)
}
