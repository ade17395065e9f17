//! Keys and revocations over HTTP, for verifiers without credentials: the authority's published documents.
//! Revocations are asked for by long poll, so that they arrive as they happen.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::AuthoritySettings;
use super::backoff::{Backoff, jittered};
use super::fetch::{FetchError, Fetcher};
use super::held::{Applied, Begin, Next, Snapshot, Statement};
use super::shared::SharedState;
use crate::Refusal;
use crate::clock::unix_now;
use crate::public_keys::MAX_JWKS_BYTES;
use crate::revocations::{MAX_DOCUMENT_BYTES, Position, REPLICA_LAG_SECONDS, RevocationDocument, is_current};

/// How long the authority may hold back its answer: then it says that there is nothing newer.
const WAIT: Duration = Duration::from_secs(2);

/// Least time between two questions while revocations come one after the other, and while the authority
/// holds nothing back.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_WITHOUT_WAITING: Duration = Duration::from_millis(500);

/// The key set is asked for at least this often, and after an unknown key at most this often.
const KEY_SET_MAX_AGE: Duration = Duration::from_secs(300);
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// Pause between two tries while the key set that was announced cannot be had.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Documents {
    state: SharedState,
    fetcher: Fetcher,
    settings: AuthoritySettings,
    key_set_etag: Option<String>,
    /// Names the key set that was current when the revocations were published; empty before the first.
    announced_key_set: String,
    revocations_etag: Option<String>,
    key_set_fetched: Option<Instant>,
    key_set_tried: Option<Instant>,
    /// The last document was signed by a key that is not held: the key set that was announced before is old.
    unknown_signer: bool,
    next: Next,
    /// Pages of one on their way.
    snapshot: Option<Snapshot>,
    /// The last page had more behind it.
    has_more: bool,
}

impl Documents {
    pub(super) fn new(state: SharedState, fetcher: Fetcher, settings: AuthoritySettings) -> Self {
        Self {
            state,
            fetcher,
            settings,
            key_set_etag: None,
            announced_key_set: String::new(),
            revocations_etag: None,
            key_set_fetched: None,
            key_set_tried: None,
            unknown_signer: false,
            next: Next::new(),
            snapshot: None,
            has_more: false,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut backoff, mut failing) = (Backoff::default(), false);
        loop {
            let outcome = tokio::select! {
                () = stop.cancelled() => return,
                outcome = self.step() => outcome,
            };
            let pause = match outcome {
                Ok(pause) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!("the authority answers again");
                    }
                    backoff.succeeded();
                    pause
                }
                Err(cause) => {
                    // Once; and once when it is back.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(
                            cause,
                            "the authority cannot be asked; the last good state stays in use"
                        );
                    }
                    backoff.next_pause()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Asks for what is due; the time until the next question.
    async fn step(&mut self) -> Result<Duration, String> {
        // Whatever becomes of the keys, revocations are asked for.
        let keys = if self.key_set_is_due() { self.fetch_key_set().await } else { Ok(()) };
        let asked = Instant::now();
        let news = self.fetch_revocations().await?;
        keys?;
        let held_back = news || asked.elapsed() >= WAIT / 2;
        Ok(jittered(if held_back { PAUSE } else { PAUSE_WITHOUT_WAITING }))
    }

    fn key_set_is_due(&self) -> bool {
        let unknown_key = self.state.authority.take_unknown_key();
        let since = |instant: Option<Instant>| instant.map_or(Duration::MAX, |instant| instant.elapsed());
        let (fetched, tried) = (since(self.key_set_fetched), since(self.key_set_tried));
        if tried < RETRY_PAUSE {
            return false;
        }
        let changed = !self.has_announced_key_set();
        fetched >= KEY_SET_MAX_AGE || changed || (unknown_key && fetched >= UNKNOWN_KEY_PAUSE)
    }

    fn has_announced_key_set(&self) -> bool {
        self.announced_key_set.is_empty() || self.key_set_etag.as_ref() == Some(&self.announced_key_set)
    }

    async fn fetch_key_set(&mut self) -> Result<(), String> {
        let (path, etag) = ("/.well-known/jwks.json", self.key_set_etag.as_deref());
        let fetched = self.fetcher.get(path, etag, MAX_JWKS_BYTES, Duration::ZERO).await;
        self.key_set_tried = Some(Instant::now());
        let fetched = fetched.map_err(|error| self.refused(&error, "key set"))?;
        if let Some(document) = fetched {
            let is_announced =
                self.announced_key_set.is_empty() || document.etag.as_ref() == Some(&self.announced_key_set);
            if !is_announced && !self.unknown_signer {
                // Of a replica that is late, or out of a cache: a revoked key may be in it.
                return Err("key set: not the one that was announced".to_owned());
            }
            let taken = self.state.held().take_keys(&document.text);
            taken.map_err(|why| {
                self.state.authority.refused_update();
                format!("key set refused: {why}")
            })?;
            self.key_set_etag = document.etag;
        }
        self.key_set_fetched = Some(Instant::now());
        Ok(())
    }

    /// All pages up to the newest revocation; `true` when there was something new.
    async fn fetch_revocations(&mut self) -> Result<bool, String> {
        let mut news = false;
        loop {
            let is_new = self.fetch_page().await?;
            news |= is_new;
            if !self.has_more {
                return Ok(news);
            }
        }
    }

    /// `true` when there was something new in it.
    async fn fetch_page(&mut self) -> Result<bool, String> {
        let after = self.asked_position();
        let held_back = self.snapshot.is_none() && !self.has_more && self.has_announced_key_set();
        let wait = if held_back { WAIT } else { Duration::ZERO };
        let path = format!("/revocations?after={}.{}&wait={}", after.epoch, after.seq, wait.as_secs());
        let etag = self.revocations_etag.as_deref();
        let fetched = self.fetcher.get(&path, etag, MAX_DOCUMENT_BYTES, wait).await;
        let fetched = fetched.map_err(|error| self.refused(&error, "revocations"))?;
        // Only an authority that sends all of them each time says that nothing has changed without signing it.
        let Some(document) = fetched else {
            self.note_contact();
            return Ok(false);
        };
        let is_new = self.take_revocations(&document.text)?;
        if self.has_more && self.asked_position() == after {
            // Anyone who repeats one page would have it asked for without end.
            (self.snapshot, self.has_more) = (None, false);
            return Err("revocations: pages that lead nowhere".to_owned());
        }
        // Of a page with more behind it, it names what that leads to.
        self.revocations_etag = document.etag.filter(|_| !self.has_more);
        Ok(is_new)
    }

    /// Where the next page begins; a snapshot is begun where one is needed.
    fn asked_position(&mut self) -> Position {
        if let Some(snapshot) = &self.snapshot {
            return snapshot.position;
        }
        let held = self.state.held();
        if self.next.begin == Begin::Behind && held.position != Position::default() {
            return held.position;
        }
        self.snapshot = Some(held.snapshot(self.next.begin == Begin::AgainFromEarlier));
        Position::default()
    }

    fn note_contact(&self) {
        self.state.authority.last_contact.of_revocations();
        if self.has_announced_key_set() {
            self.state.authority.last_contact.of_keys();
        }
    }

    /// `true` when there was something new in it.
    fn take_revocations(&mut self, text: &[u8]) -> Result<bool, String> {
        let outcome = self.apply_document(text);
        if outcome.is_err() {
            // Whatever follows is not a part of what was begun.
            (self.snapshot, self.has_more) = (None, false);
        }
        outcome
    }

    fn apply_document(&mut self, text: &[u8]) -> Result<bool, String> {
        let text = str::from_utf8(text).map_err(|_| "revocations: not text".to_owned())?;
        let keys = self.state.held().keys.clone();
        let token = RevocationDocument::parse(text).map_err(|refusal| self.refused_document(refusal))?;
        let document = RevocationDocument::read(&token, &self.settings.issuer, &keys);
        let document = document.map_err(|refusal| self.refused_document(refusal))?;
        let entries = document.entries().map_err(|refusal| self.refused_document(refusal))?;
        let (mut held, now) = (self.state.held(), unix_now());
        // One that is whole takes the place of what is held; one that was signed much later is true, whatever it says.
        let later = document.issued_at > held.issued_at + REPLICA_LAG_SECONDS;
        if document.after.is_none() {
            self.snapshot = Some(held.snapshot(later || self.next.begin == Begin::AgainFromEarlier));
        }
        let goes_back = self.next.begin == Begin::AgainFromEarlier || (later && document.after.is_none());
        if document.keys_position < held.keys_position && !goes_back {
            let _ = self.next.is_behind();
            return Err("revocations: of a replica that is late".to_owned());
        }
        let is_new = !entries.is_empty() || document.position != held.position;
        let statement = Statement {
            after: document.after.unwrap_or(0),
            position: document.position,
            entries,
            more: document.more,
            signed: true,
        };
        let applied = self.next.act_on(held.apply(&mut self.snapshot, statement, now));
        self.has_more = matches!(applied, Ok(Applied::More));
        if let Ok(Applied::Complete) = applied {
            held.issued_at = document.issued_at;
            held.keys_position = document.keys_position;
            self.announced_key_set.clone_from(&document.key_set);
        }
        drop(held);
        match applied {
            Ok(Applied::Complete) => {
                self.unknown_signer = false;
                // One without a position is signed at the last change, however long ago that is.
                if document.after.is_some() && !is_current(document.issued_at, now) {
                    let signed = document.issued_at;
                    return Err(format!("revocations: signed at {signed}, and the clock here says {now}"));
                }
                if self.state.authority.is_complete() {
                    self.state.held().unsaved = true;
                }
                self.note_contact();
                Ok(is_new)
            }
            Ok(Applied::More | Applied::Behind) => Ok(is_new),
            Err((why, counts)) => {
                if counts {
                    self.state.authority.refused_update();
                }
                Err(format!("revocations: {why}"))
            }
        }
    }

    fn refused_document(&mut self, refusal: Refusal) -> String {
        if refusal == Refusal::UnknownKey {
            // A document under a key that came after our key set: worth one fetch.
            (self.key_set_fetched, self.unknown_signer) = (None, true);
        }
        self.state.authority.refused_update();
        format!("revocations refused: {refusal}")
    }

    /// Words for what went wrong; what came and was too large or strange is counted.
    fn refused(&self, error: &FetchError, what: &str) -> String {
        if matches!(error, FetchError::TooLarge(_)) {
            self.state.authority.refused_update();
        }
        format!("{what}: {error}")
    }
}
