use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Certificate, Client, StatusCode, redirect};
use tracing::{Instrument, trace_span};

use super::settings::{AuthoritySettings, StartError, check_url, with_causes};

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The authority did not answer.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The authority answered with this HTTP status.
    #[error("answered with status {0}")]
    Status(u16),
    /// The answer is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// One pinned host, no redirects, bounded time and size: what comes back can only be its own words.
pub(super) struct Fetcher {
    client: Client,
    base: String,
    trace: Option<fn(&mut HeaderMap)>,
}

/// A document with the name of its version.
pub(super) struct Document {
    pub text: Vec<u8>,
    pub etag: Option<String>,
}

/// Longest time for one answer, without the time for which it was asked to be held back.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Fetcher {
    pub(super) fn new(settings: &AuthoritySettings) -> Result<Self, StartError> {
        check_url(&settings.url, settings.allow_http)?;
        let tls = |error: reqwest::Error| StartError::Tls(with_causes(&error));
        let mut builder = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).no_proxy();
        if let Some(pem) = &settings.ca_pem {
            builder = builder.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(tls)?);
        }
        let client = builder.build().map_err(tls)?;
        let base = settings.url.trim_end_matches('/').to_owned();
        Ok(Self { client, base, trace: settings.trace })
    }

    /// `None` when the version named by `etag` is still the current one; the answer may be held back for
    /// `wait` until there is another.
    pub(super) async fn get(
        &self,
        path: &str,
        etag: Option<&str>,
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Option<Document>, FetchError> {
        let span = trace_span!(target: "traces", parent: None, "GET", otel.kind = "client", url.path = path);
        self.ask(path, etag, max_bytes, wait).instrument(span).await
    }

    async fn ask(
        &self,
        path: &str,
        etag: Option<&str>,
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Option<Document>, FetchError> {
        let mut request = self.client.get(format!("{}{path}", self.base)).timeout(TIMEOUT + wait);
        // HTTP caches must revalidate each time: an old answer would hide a new revocation.
        request = request.header(CACHE_CONTROL, "no-cache");
        if let Some(etag) = etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut request = request.build().map_err(no_answer)?;
        if let Some(trace) = self.trace {
            trace(request.headers_mut());
        }
        let mut response = self.client.execute(request).await.map_err(no_answer)?;
        match response.status() {
            StatusCode::NOT_MODIFIED => return Ok(None),
            StatusCode::OK => {}
            other => return Err(FetchError::Status(other.as_u16())),
        }
        let etag = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if text.len() + chunk.len() > max_bytes {
                return Err(FetchError::TooLarge(max_bytes));
            }
            text.extend_from_slice(&chunk);
        }
        Ok(Some(Document { text, etag }))
    }
}

fn no_answer(error: reqwest::Error) -> FetchError {
    FetchError::NoAnswer(with_causes(&error))
}
