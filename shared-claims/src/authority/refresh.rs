use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fetch::{FetchError, Fetcher};
use super::saved_state::{self, Documents};
use super::{Authority, AuthoritySettings, Trust};
use crate::public_keys::{KeySet, MAX_JWKS_BYTES};
use crate::revocations::{MAX_DOCUMENT_BYTES, Revocations};

/// The key set is asked for at least this often, and after an unknown key at most this often.
const KEY_SET_MAX_AGE: Duration = Duration::from_secs(300);
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// Pause between two tries while the authority is away or its key set has changed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The background task. Whatever arrives, the last good state stays until something better is whole.
pub(super) struct Refresh {
    authority: Arc<Authority>,
    fetcher: Fetcher,
    settings: AuthoritySettings,
    documents: Documents,
    key_set_etag: Option<String>,
    revocations_etag: Option<String>,
    key_set_fetched: Option<Instant>,
    key_set_tried: Option<Instant>,
    failing: bool,
}

impl Refresh {
    pub fn new(
        authority: Arc<Authority>,
        fetcher: Fetcher,
        settings: AuthoritySettings,
        documents: Documents,
    ) -> Self {
        Self {
            authority,
            fetcher,
            settings,
            documents,
            key_set_etag: None,
            revocations_etag: None,
            key_set_fetched: None,
            key_set_tried: None,
            failing: false,
        }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let outcome = self.step().await;
            self.report(outcome);
            let pause = jittered(self.settings.poll_interval);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn step(&mut self) -> Result<(), String> {
        if self.key_set_is_due() {
            self.fetch_key_set().await?;
        }
        self.fetch_revocations().await
    }

    fn key_set_is_due(&self) -> bool {
        let unknown_key = self.authority.take_unknown_key();
        let since = |instant: Option<Instant>| instant.map_or(Duration::MAX, |instant| instant.elapsed());
        let (fetched, tried) = (since(self.key_set_fetched), since(self.key_set_tried));
        if tried < RETRY_PAUSE {
            return false;
        }
        let trust = self.authority.trust();
        let announced = &trust.revocations.key_set;
        let changed = !announced.is_empty() && self.key_set_etag.as_ref() != Some(announced);
        fetched >= KEY_SET_MAX_AGE || changed || (unknown_key && fetched >= UNKNOWN_KEY_PAUSE)
    }

    async fn fetch_key_set(&mut self) -> Result<(), String> {
        self.key_set_tried = Some(Instant::now());
        let etag = self.key_set_etag.as_deref();
        let fetched = self.fetcher.get("/.well-known/jwks.json", etag, MAX_JWKS_BYTES).await;
        if let Some(document) = fetched.map_err(|error| key_set_problem(&error))? {
            let keys = KeySet::from_jwks(&document.text).map_err(|why| format!("key set refused: {why}"))?;
            self.key_set_etag = document.etag;
            self.documents.key_set = String::from_utf8_lossy(&document.text).into_owned();
            let revocations = self.authority.trust().revocations.clone();
            self.authority.replace(Trust { keys, revocations });
            saved_state::save(&self.settings, &self.documents);
            tracing::info!("key set replaced");
        }
        self.key_set_fetched = Some(Instant::now());
        Ok(())
    }

    async fn fetch_revocations(&mut self) -> Result<(), String> {
        let etag = self.revocations_etag.as_deref();
        let fetched = self.fetcher.get("/revocations", etag, MAX_DOCUMENT_BYTES).await;
        let Some(document) = fetched.map_err(|error| format!("revocations: {error}"))? else { return Ok(()) };
        let text = String::from_utf8(document.text).map_err(|_| "revocations: not text".to_owned())?;
        let held = self.authority.trust();
        let revocations = Revocations::from_document(&text, &self.settings.issuer, &held.keys)
            .inspect_err(|refusal| {
                // A document under a key that came after our key set: worth one fetch.
                if *refusal == crate::Refusal::UnknownKey {
                    self.key_set_fetched = None;
                }
            })
            .map_err(|refusal| format!("revocations refused: {refusal}"))?;
        if !revocations.supersedes(&held.revocations) {
            tracing::debug!("revocations of a replica that is a moment behind were passed over");
            return Ok(());
        }
        tracing::debug!(entries = revocations.len(), "revocations replaced");
        self.revocations_etag = document.etag;
        self.documents.revocations = Some(text);
        self.authority.replace(Trust { keys: held.keys.clone(), revocations });
        saved_state::save(&self.settings, &self.documents);
        Ok(())
    }

    /// Says once that the authority is away, and once that it is back.
    fn report(&mut self, outcome: Result<(), String>) {
        match outcome {
            Err(cause) if !self.failing => {
                tracing::warn!(cause, "the authority cannot be asked; the last good state stays in use");
                self.failing = true;
            }
            Ok(()) if self.failing => {
                tracing::info!("the authority answers again");
                self.failing = false;
            }
            _ => {}
        }
    }
}

fn key_set_problem(error: &FetchError) -> String {
    format!("key set: {error}")
}

/// Between 50 and 100 % of `period`, so that verifiers that started together drift apart and the
/// bound that the period promises still holds.
fn jittered(period: Duration) -> Duration {
    let mut byte = [0_u8; 1];
    // Without randomness the only loss is the drift.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    period.mul_f64(0.5 + f64::from(byte[0]) / 512.0)
}
