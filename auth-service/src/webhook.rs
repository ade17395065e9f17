//! Claims that settings cannot say: a service of the operator's is asked for them, signed, in bounded time, and not
//! more often than needed.
//!
//! The question is a JWT (`typ: claims-request+jwt`) under the authority's own key, so that the service can check it by
//! the JWKS as it checks any token; the answer is a JSON object of claims. What is reserved is never taken from it.

use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use reqwest::blocking::Client;
use reqwest::redirect;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::metrics;

/// Largest answer, in bytes: it goes into each token.
pub const MAX_ANSWER_BYTES: usize = 2048;

/// Users whose claims are kept.
const CACHED: usize = 10_000;

/// Questions that wait for an answer at one time: each holds a thread, and others need some too.
const MOST_ASKED: usize = 16;

/// What becomes of a login or refresh when the service does not answer, or says nonsense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is refused, and worth another try: 503.
    Refuse,
    /// The last answer is used, however old; without one it is refused.
    Stale,
    /// The token has no claims of the service's.
    Without,
}

/// Whom to ask, and how.
#[derive(Debug, Clone)]
pub struct WebhookPolicy {
    pub url: String,
    pub timeout: Duration,
    /// How long an answer is good.
    pub cache: Duration,
    pub on_failure: OnFailure,
}

/// The service, and what it has answered.
pub struct ClaimsWebhook {
    policy: WebhookPolicy,
    /// Made when it is first needed: no command line asks.
    client: OnceLock<std::result::Result<Client, String>>,
    answers: Cache<String, Arc<Answer>>,
    asked: AtomicUsize,
}

/// One question; over when it is dropped.
struct Question<'a>(&'a AtomicUsize);

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Answer {
    claims: Map<String, Value>,
    at: Instant,
}

impl ClaimsWebhook {
    #[must_use]
    pub fn new(policy: WebhookPolicy) -> Self {
        Self { policy, client: OnceLock::new(), answers: Cache::new(CACHED), asked: AtomicUsize::new(0) }
    }

    pub(crate) fn fresh(&self, user_id: &str) -> Option<Map<String, Value>> {
        let answer = self.answers.get(user_id)?;
        (answer.at.elapsed() < self.policy.cache).then(|| answer.claims.clone())
    }

    /// The URL of the service.
    pub(crate) fn url(&self) -> &str {
        &self.policy.url
    }

    /// Keeps an answer.
    pub(crate) fn keep(&self, user_id: &str, claims: &Map<String, Value>) {
        let answer = Answer { claims: claims.clone(), at: Instant::now() };
        self.answers.insert(user_id.to_owned(), Arc::new(answer));
    }

    pub(crate) fn ask(&self, question: String) -> std::result::Result<Map<String, Value>, String> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let _question = Question(&self.asked);
        if asked >= MOST_ASKED {
            return Err("too many questions wait for an answer".to_owned());
        }
        let until = Instant::now() + self.policy.timeout;
        let made = self.client.get_or_init(|| {
            let client =
                Client::builder().timeout(self.policy.timeout).redirect(redirect::Policy::none()).no_proxy();
            client.build().map_err(|error| error.to_string())
        });
        let client = made.as_ref().map_err(Clone::clone)?;
        let request = client.post(&self.policy.url).header("content-type", "application/jwt").body(question);
        // The URL may hold what is nobody's business.
        let answer = request.send().map_err(|error| error.without_url().to_string())?;
        if answer.status() != 200 {
            return Err(format!("it answered with status {}", answer.status().as_u16()));
        }
        let text = read_within(answer, until)?;
        serde_json::from_slice(&text).map_err(|_| "its answer is no JSON object".to_owned())
    }

    pub(crate) fn instead(&self, user_id: &str, cause: &str) -> Result<Map<String, Value>> {
        metrics::webhook_failed();
        let refuse = || Err(Error::new(ErrorKind::Unavailable, format!("the claims webhook: {cause}")));
        match self.policy.on_failure {
            OnFailure::Refuse => refuse(),
            OnFailure::Without => {
                tracing::warn!(cause, "the claims webhook failed: a token goes without its claims");
                Ok(Map::new())
            }
            OnFailure::Stale => match self.answers.get(user_id) {
                Some(answer) => {
                    tracing::warn!(cause, "the claims webhook failed: an old answer is used");
                    Ok(answer.claims.clone())
                }
                None => refuse(),
            },
        }
    }
}

/// A byte now and then is no answer: the client's own bound is one for each read.
fn read_within(mut answer: impl Read, until: Instant) -> std::result::Result<Vec<u8>, String> {
    let (mut text, mut part) = (Vec::new(), [0; 1024]);
    loop {
        match answer.read(&mut part).map_err(|error| error.to_string())? {
            0 => return Ok(text),
            read => text.extend_from_slice(&part[..read]),
        }
        if text.len() > MAX_ANSWER_BYTES {
            return Err(format!("its answer is larger than {MAX_ANSWER_BYTES} bytes"));
        }
        if Instant::now() > until {
            return Err("its answer took too long".to_owned());
        }
    }
}
