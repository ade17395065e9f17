//! Where the authority is, and what of it cannot work.

use std::path::PathBuf;

use http::HeaderMap;
use url::Url;

use crate::revocations::NoRandomness;

/// Where the authority is, and how it is asked.
#[derive(Clone)]
#[non_exhaustive]
pub struct AuthoritySettings {
    /// Base URL, without a trailing slash: `https://auth.example`.
    pub url: String,
    /// The `iss` that its documents carry.
    pub issuer: String,
    /// Certificate authorities in PEM for its certificates, beside those that the operating system trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// Its feeds over gRPC; `None` follows the published documents, for which the feature `documents` is needed.
    #[cfg(feature = "feed")]
    pub feed: Option<FeedSettings>,
    /// Folder for the last good state; `None` keeps it in memory only.
    pub data_dir: Option<PathBuf>,
    /// Allows `http://` to a host that is not loopback: only inside a network that is trusted.
    pub allow_http: bool,
    /// Accepts tokens as soon as there are keys, also before any revocations were received. Off, unless a service must
    /// start while the authority is away and has no saved state.
    pub accept_without_revocations: bool,
    /// Puts the trace that is under way into the headers of a request (`traceparent`, W3C Trace Context). It is called
    /// within a span of the target `traces`, one for each question and for each feed.
    pub trace: Option<fn(&mut HeaderMap)>,
}

impl AuthoritySettings {
    /// An authority whose `iss` is its URL, followed by its published documents, with its state in memory only.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            issuer: url.to_owned(),
            ca_pem: None,
            #[cfg(feature = "feed")]
            feed: None,
            data_dir: None,
            allow_http: false,
            accept_without_revocations: false,
            trace: None,
        }
    }
}

/// The authority's gRPC listener, and the client that a verifier is there. No `Debug`: it holds the secret.
#[cfg(feature = "feed")]
#[derive(Clone)]
pub struct FeedSettings {
    /// `https://auth.example:9090`.
    pub url: String,
    /// ID of the client that follows the feeds.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// Settings that cannot work. Names no more than the operator set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL of the settings cannot be used.
    #[error("the authority's URL `{0}` is not valid")]
    Url(String),
    /// A URL without TLS to another machine, where that is not allowed.
    #[error("the authority's URL `{0}` is not https; on a trusted network allow it by the setting")]
    NotEncrypted(String),
    /// No TLS client can be built, and why.
    #[error("no TLS client: {0}")]
    Tls(String),
    /// The ID or the secret of the client cannot be sent in a header.
    #[error("the client's ID or secret cannot be sent in a header")]
    Credentials,
    /// The settings name no feed, and this build follows nothing else.
    #[error("the settings name no feed, and without the feature `documents` nothing else can be followed")]
    NoFeed,
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// https, or http to this machine, or by leave of the operator.
pub(super) fn check_url(text: &str, allow_http: bool) -> Result<(), StartError> {
    let url = Url::parse(text).map_err(|_| StartError::Url(text.to_owned()))?;
    let loopback = match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        None => return Err(StartError::Url(text.to_owned())),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback || allow_http => Ok(()),
        "http" => Err(StartError::NotEncrypted(text.to_owned())),
        _ => Err(StartError::Url(text.to_owned())),
    }
}

/// An error with all that it came of, in one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
