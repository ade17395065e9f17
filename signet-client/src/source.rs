use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Request, RequestBuilder, Response};
use serde::Deserialize;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::clock::unix_now;
use crate::key::{ProofKey, ProofRequest};

/// Longest wait for the authority.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after a renewal that failed; the token that is held is used meanwhile.
const RETRY: Duration = Duration::from_secs(1);

/// A token is not used for this long before it expires: it may take a while to arrive.
const MARGIN: Duration = Duration::from_secs(5);

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The URL or a certificate cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The authority refused: `error` (RFC 6749 section 5.2) and its description.
    #[error("the authority refused: {error}: {description}")]
    Refused {
        /// The error code, such as `invalid_client`.
        error: String,
        /// The description, for operators.
        description: String,
    },
    /// The authority did not answer, or its answer is no token.
    #[error("no token from the authority: {0}")]
    Unavailable(String),
}

/// Where tokens come from. Copies share one token.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

/// What a token is requested with.
pub struct Builder {
    url: String,
    client_id: String,
    client_secret: Zeroizing<String>,
    scope: Option<String>,
    audience: Option<String>,
    ca_pem: Option<Vec<u8>>,
    key: Option<ProofKey>,
}

struct Inner {
    http: Client,
    request: Builder,
    held: ArcSwapOption<Held>,
    /// Held by the caller that fetches; with the last failure, for those who waited meanwhile.
    fetching: Mutex<Option<(Instant, TokenError)>>,
    renewing: AtomicBool,
    /// What proofs at the token endpoint have to name, if it asked for anything.
    nonce: ArcSwapOption<String>,
}

/// `DPoP`, and the nonce of a server (RFC 9449 sections 4.1 and 8.2).
const PROOF: HeaderName = HeaderName::from_static("dpop");
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// No `Debug`: it is a secret.
struct Held {
    token: Arc<str>,
    renew_at: Instant,
    expires_at: Instant,
}

#[derive(Deserialize)]
struct Issued {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Builder {
    /// Only this scope, of what the client may have (scope-tokens with spaces between).
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.to_owned());
        self
    }

    /// For this audience; the client's first one by default.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.to_owned());
        self
    }

    /// Trusts these certificate authorities (PEM) beside those of the operating system.
    #[must_use]
    pub fn ca_pem(mut self, pem: Vec<u8>) -> Self {
        self.ca_pem = Some(pem);
        self
    }

    /// Binds the tokens to a key (DPoP, RFC 9449): each call brings a proof that this process holds it.
    #[must_use]
    pub fn bound_to(mut self, key: ProofKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Requests nothing yet.
    ///
    /// # Errors
    /// [`TokenError::Settings`].
    pub fn build(self) -> Result<TokenSource, TokenError> {
        let wrong = |error: reqwest::Error| TokenError::Settings(error.to_string());
        let mut http = Client::builder().timeout(TIMEOUT);
        if let Some(pem) = &self.ca_pem {
            http = http.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(wrong)?);
        }
        let http = http.build().map_err(wrong)?;
        let (held, fetching, renewing, nonce) = Default::default();
        Ok(TokenSource(Arc::new(Inner { http, request: self, held, fetching, renewing, nonce })))
    }
}

impl TokenSource {
    /// For a client of the authority at a URL, such as `https://auth.example.com`.
    #[must_use]
    pub fn builder(url: &str, client_id: &str, client_secret: &str) -> Builder {
        Builder {
            url: url.trim_end_matches('/').to_owned(),
            client_id: client_id.to_owned(),
            client_secret: Zeroizing::new(client_secret.to_owned()),
            scope: None,
            audience: None,
            ca_pem: None,
            key: None,
        }
    }

    /// A token that is valid for a while: the one that is held, or a new one. However many callers ask at one moment, one
    /// request is sent, and all get its answer.
    ///
    /// # Errors
    /// [`TokenError`] where none is held that is still valid.
    pub async fn token(&self) -> Result<Arc<str>, TokenError> {
        if let Some(token) = self.held() {
            return Ok(token);
        }
        let waiting_since = Instant::now();
        let mut failed = self.0.fetching.lock().await;
        if let Some(token) = self.held() {
            return Ok(token);
        }
        match &*failed {
            Some((at, error)) if *at >= waiting_since => return Err(error.clone()),
            _ => {}
        }
        let fetched = self.fetch().await;
        *failed = fetched.as_ref().err().map(|error| (Instant::now(), error.clone()));
        fetched
    }

    /// Adds the token to a request, and the proof for it where tokens are bound. A proof is good once: a request that is sent again is
    /// authorized again.
    ///
    /// # Errors
    /// As [`Self::token`]; [`TokenError::Settings`] for a request that cannot be built.
    pub async fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder, TokenError> {
        let (client, request) = request.build_split();
        let mut request = request.map_err(|error| TokenError::Settings(error.without_url().to_string()))?;
        self.authorize_request(&mut request).await?;
        Ok(RequestBuilder::from_parts(client, request))
    }

    pub(crate) async fn authorize_request(&self, request: &mut Request) -> Result<(), TokenError> {
        let token = self.token().await?;
        let (method, url) = (request.method().to_string(), request.url().to_string());
        let Credentials { authorization, proof } = self.credentials(&token, &method, &url)?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        if let Some(proof) = proof {
            request.headers_mut().insert(PROOF, proof);
        }
        Ok(())
    }

    /// Whether each call needs a proof.
    #[cfg(feature = "tonic")]
    pub(crate) fn is_bound(&self) -> bool {
        self.0.request.key.is_some()
    }

    /// What a call with a token sends along.
    pub(crate) fn credentials(
        &self,
        token: &str,
        method: &str,
        url: &str,
    ) -> Result<Credentials, TokenError> {
        let no_header = |_| TokenError::Unavailable("the token is no header value".to_owned());
        let (scheme, proof) = match &self.0.request.key {
            None => ("Bearer", None),
            Some(key) => {
                let request =
                    ProofRequest { method, url, access_token: Some(token), nonce: None, now: unix_now() };
                ("DPoP", Some(HeaderValue::try_from(key.proof(request)?).map_err(no_header)?))
            }
        };
        let mut authorization = HeaderValue::try_from(format!("{scheme} {token}")).map_err(no_header)?;
        authorization.set_sensitive(true);
        Ok(Credentials { authorization, proof })
    }

    /// The token that is held, if it is valid for a while. Within a tokio runtime: it begins to renew one that is old.
    pub(crate) fn held(&self) -> Option<Arc<str>> {
        let held = self.0.held.load();
        let held = held.as_ref()?;
        let now = Instant::now();
        if now >= held.expires_at {
            return None;
        }
        if now >= held.renew_at && !self.0.renewing.swap(true, Ordering::AcqRel) {
            let source = self.clone();
            tokio::spawn(async move { source.renew().await });
        }
        Some(Arc::clone(&held.token))
    }

    /// The same, for callers that cannot wait: where none is held that is valid, one is fetched for the next of them.
    #[cfg(feature = "tonic")]
    pub(crate) fn held_or_fetching(&self) -> Option<Arc<str>> {
        let held = self.held();
        if held.is_none() && !self.0.renewing.swap(true, Ordering::AcqRel) {
            let source = self.clone();
            tokio::spawn(async move { source.renew().await });
        }
        held
    }

    /// One at a time; a failure is tried again after a while by whichever call comes then.
    async fn renew(&self) {
        let failed = {
            let _fetching = self.0.fetching.lock().await;
            self.fetch().await.err()
        };
        if let Some(error) = failed {
            tracing::warn!(%error, "the client token was not renewed; the one before stays in use until it expires");
            tokio::time::sleep(RETRY).await;
        }
        self.0.renewing.store(false, Ordering::Release);
    }

    /// One request to the token endpoint: its tokens, or what it refused.
    async fn ask(&self, form: &[(&str, &str)]) -> Result<Result<Issued, Problem>, TokenError> {
        let Inner { http, request, nonce, .. } = &*self.0;
        let unavailable = |error: reqwest::Error| TokenError::Unavailable(error.without_url().to_string());
        let url = format!("{}/oauth2/token", request.url);
        let mut sent = http
            .post(&url)
            .basic_auth(encoded(&request.client_id), Some(encoded(&request.client_secret)))
            .form(form);
        if let Some(key) = &request.key {
            let named = nonce.load();
            let nonce = named.as_ref().map(|nonce| nonce.as_str());
            let proof =
                ProofRequest { method: "POST", url: &url, access_token: None, nonce, now: unix_now() };
            sent = sent.header(PROOF, key.proof(proof)?);
        }
        let answer = sent.send().await.map_err(unavailable)?;
        if let Some(named) = answer.headers().get(NONCE).and_then(|value| value.to_str().ok()) {
            nonce.store(Some(Arc::new(named.to_owned())));
        }
        if !answer.status().is_success() {
            return refused(answer).await.map(Err);
        }
        answer.json().await.map(Ok).map_err(unavailable)
    }

    async fn fetch(&self) -> Result<Arc<str>, TokenError> {
        let Inner { request, held, .. } = &*self.0;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(request.scope.as_deref().map(|scope| ("scope", scope)));
        form.extend(request.audience.as_deref().map(|audience| ("audience", audience)));
        let asked_at = Instant::now();
        let issued = match self.ask(&form).await? {
            Ok(issued) => issued,
            // Once: the answer brought the nonce.
            Err(problem) if problem.error == "use_dpop_nonce" => {
                self.ask(&form).await?.map_err(Problem::into_error)?
            }
            Err(problem) => return Err(problem.into_error()),
        };
        let life = Duration::from_secs(issued.expires_in);
        let token: Arc<str> = issued.access_token.into();
        held.store(Some(Arc::new(Held {
            token: Arc::clone(&token),
            renew_at: asked_at + life * 4 / 5,
            expires_at: asked_at + life.saturating_sub(MARGIN.min(life / 5)),
        })));
        Ok(token)
    }
}

/// What a call with a token sends along.
pub(crate) struct Credentials {
    pub(crate) authorization: HeaderValue,
    pub(crate) proof: Option<HeaderValue>,
}

impl Problem {
    fn into_error(self) -> TokenError {
        TokenError::Refused { error: self.error, description: self.error_description }
    }
}

async fn refused(answer: Response) -> Result<Problem, TokenError> {
    let status = answer.status();
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let problem: Problem = if is_json { answer.json().await.unwrap_or_default() } else { Problem::default() };
    if status.is_server_error() || problem.error.is_empty() {
        return Err(TokenError::Unavailable(format!("it answered {status}")));
    }
    Ok(problem)
}

/// Both halves of the credentials are form-encoded (RFC 6749 section 2.3.1).
fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_form_encoded() {
        assert_eq!(encoded("a-Z_0.9~"), "a-Z_0.9~");
        assert_eq!(encoded("p:s%+ é"), "p%3As%25%2B%20%C3%A9");
    }
}
