use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use quick_cache::sync::Cache;
use shared_claims::revocations::{DOCUMENT_TYPE, MAX_DOCUMENT_BYTES, Position, SIGNED_TIME_TYPE};

use super::revocation_claims::{DocumentClaims, RevocationItem, TimeClaims};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::sign;

/// Entries of one page: about 600 KiB.
const PAGE: usize = 5000;

/// Pages that are kept for those who ask for the same one.
const PAGES_KEPT: usize = 16;

/// What makes two pages the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PageKey {
    after: u64,
    position: Position,
    key_set: String,
    /// The second in which it was signed, of a page that says that nothing is newer.
    second: Option<u64>,
}

/// Pages that were signed a moment ago: all who stand at one position get the same one.
pub(super) struct RevocationPages {
    kept: Cache<PageKey, Arc<str>>,
    /// For feeds: the signed time of a second.
    time: ArcSwapOption<(u64, Position, Arc<str>)>,
}

impl Default for RevocationPages {
    fn default() -> Self {
        Self { kept: Cache::new(PAGES_KEPT), time: ArcSwapOption::empty() }
    }
}

/// What is published of the revocations.
#[derive(Default)]
pub(crate) struct Documents {
    /// The document that was signed last.
    newest: ArcSwap<RevocationDocument>,
    /// The revocations when they did not fit one document.
    too_large_at: ArcSwapOption<Position>,
    pages: RevocationPages,
}

/// The signed document as it is served at `GET /revocations`, made when someone asks for it and it is not
/// the newest any more.
#[derive(Default)]
pub struct RevocationDocument {
    /// Empty until the first one is made.
    pub jwt: Arc<str>,
    /// Weak entity tag, with its quotes: the same of every replica for the same revocations and keys.
    pub etag: String,
}

impl Authority {
    /// The entity tag that the document has now.
    #[must_use]
    pub fn revocations_etag(&self) -> String {
        etag(self.reader.revocations.position(), &self.issuer.keys.ring().etag)
    }

    /// What follows a position, signed: at most 5,000 entries, from the beginning where the position is of another
    /// history. Its cost does not depend on how many revocations there are. Of the newest position it is signed again
    /// each second, so that it also says that there is nothing newer.
    ///
    /// # Errors
    /// `Unavailable` when no key signs.
    pub fn revocation_page(&self, asked: Position) -> Result<Arc<str>> {
        let (ring, signer, now) = (self.issuer.keys.ring(), self.issuer.signer_of(None)?, self.now());
        let mut page = self.reader.revocations.page(asked.seq, PAGE);
        if page.position.epoch != asked.epoch {
            page = self.reader.revocations.page(0, PAGE);
        }
        let after = page.after.min(page.position.seq);
        let second = (!page.more).then(|| now.seconds());
        let key = PageKey { after, position: page.position, key_set: ring.etag.clone(), second };
        if let Some(kept) = self.sync.documents.pages.kept.get(&key) {
            return Ok(kept);
        }
        let claims = DocumentClaims {
            iss: &self.issuer.url,
            iat: now.seconds(),
            epoch: page.position.epoch,
            seq: page.position.seq,
            key_set: &ring.etag,
            keys: ring.position.seq,
            after: Some(after),
            more: Some(page.more),
            revocations: page.entries.iter().map(RevocationItem::of).collect(),
        };
        let jwt: Arc<str> = sign(&signer, DOCUMENT_TYPE, &claims)?.into();
        self.sync.documents.pages.kept.insert(key, Arc::clone(&jwt));
        Ok(jwt)
    }

    /// The time, signed once a second for all feeds; `None` when no key signs.
    #[must_use]
    pub fn signed_time(&self, position: Position) -> Option<Arc<str>> {
        let second = self.now().seconds();
        let kept = self.sync.documents.pages.time.load_full();
        if let Some((_, _, time)) = kept.as_deref().filter(|kept| (kept.0, kept.1) == (second, position)) {
            return Some(Arc::clone(time));
        }
        let signer = self.issuer.signer_of(None).ok()?;
        let Position { epoch, seq } = position;
        let claims = TimeClaims { iss: &self.issuer.url, iat: second, epoch, seq };
        let time: Arc<str> = sign(&signer, SIGNED_TIME_TYPE, &claims).ok()?.into();
        self.sync.documents.pages.time.store(Some(Arc::new((second, position, Arc::clone(&time)))));
        Some(time)
    }

    /// The document as it was last made, if it is still the newest.
    #[must_use]
    pub fn made_revocation_document(&self) -> Option<Arc<RevocationDocument>> {
        let made = self.sync.documents.newest.load_full();
        (made.etag == self.revocations_etag()).then_some(made)
    }

    /// Makes the document again.
    ///
    /// # Errors
    /// `Unavailable` when no key signs, or there are more revocations than verifiers read in a document.
    pub fn make_revocation_document(&self) -> Result<Arc<RevocationDocument>> {
        let (ring, signer, now) = (self.issuer.keys.ring(), self.issuer.signer_of(None)?, self.now());
        let (live, position) = (self.reader.revocations.len(), self.reader.revocations.position());
        // Known without making it: each of those who ask would else have it made.
        if live.saturating_mul(LEAST_ENTRY_BYTES) > MAX_DOCUMENT_BYTES {
            return Err(too_large(live));
        }
        if self.sync.documents.too_large_at.load().as_deref() == Some(&position) {
            return Err(too_large(live));
        }
        let (position, live) = self.reader.revocations.all();
        let claims = DocumentClaims {
            iss: &self.issuer.url,
            iat: now.seconds(),
            epoch: position.epoch,
            seq: position.seq,
            key_set: &ring.etag,
            keys: ring.position.seq,
            after: None,
            more: None,
            revocations: live.iter().map(RevocationItem::of).collect(),
        };
        let jwt = sign(&signer, DOCUMENT_TYPE, &claims)?;
        if jwt.len() > MAX_DOCUMENT_BYTES {
            self.sync.documents.too_large_at.store(Some(Arc::new(position)));
            return Err(too_large(live.len()));
        }
        let document = Arc::new(RevocationDocument { etag: etag(position, &ring.etag), jwt: jwt.into() });
        self.sync.documents.newest.store(Arc::clone(&document));
        Ok(document)
    }
}

/// Of one that has the shortest id.
const LEAST_ENTRY_BYTES: usize = 60;

fn too_large(live: usize) -> Error {
    let cause = format!("{live} live revocations do not fit one document: ask for pages, `?after=EPOCH.SEQ`");
    Error::new(ErrorKind::Unavailable, cause)
}

fn etag(position: Position, key_set: &str) -> String {
    format!("W/\"{}-{}-{}\"", position.epoch, position.seq, key_set.trim_matches('"'))
}
