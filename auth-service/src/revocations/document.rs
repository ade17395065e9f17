use std::sync::Arc;

use serde::Serialize;
use shared_claims::revocations::{DOCUMENT_TYPE, MAX_DOCUMENT_BYTES, Position, Target};

use super::Revocation;
use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};
use crate::tokens::sign;

/// The signed document as it is served at `GET /revocations`, made when somebody asks for it and it is not
/// the newest any more.
#[derive(Default)]
pub struct RevocationDocument {
    /// Empty until the first one is made.
    pub jwt: Arc<str>,
    /// Weak entity tag, with its quotes: the same of every replica for the same revocations and keys.
    pub etag: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: u64,
    /// Names the history that `seq` counts in.
    epoch: u64,
    /// Grows with every revocation, so that a verifier never goes back to an older document.
    seq: u64,
    /// The ETag of the key set: verifiers fetch it when this changes.
    key_set: &'a str,
    /// Grows with every change of the keys.
    keys: u64,
    revocations: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    kind: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<u64>,
    exp: u64,
}

impl Authority {
    /// The entity tag that the document has now.
    #[must_use]
    pub fn revocations_etag(&self) -> String {
        etag(self.revocations.position(), &self.keys.ring().etag)
    }

    /// The document as it was last made, if it is still the newest.
    #[must_use]
    pub fn made_revocation_document(&self) -> Option<Arc<RevocationDocument>> {
        let made = self.revocation_document.load_full();
        (made.etag == self.revocations_etag()).then_some(made)
    }

    /// Makes the document anew.
    ///
    /// # Errors
    /// `Unavailable` when no key signs, or there are more revocations than verifiers read in a document.
    pub fn make_revocation_document(&self) -> Result<Arc<RevocationDocument>> {
        let (ring, signer, now) = (self.keys.ring(), self.signer_of(None)?, self.now());
        let (position, live) = self.revocations.all();
        let claims = Claims {
            iss: &self.issuer,
            iat: now.seconds(),
            epoch: position.epoch,
            seq: position.seq,
            key_set: &ring.etag,
            keys: ring.position.seq,
            revocations: live.iter().map(Entry::of).collect(),
        };
        let jwt = sign(&signer, DOCUMENT_TYPE, &claims)?;
        if jwt.len() > MAX_DOCUMENT_BYTES {
            let cause = format!("{} live revocations do not fit the document: use the feeds", live.len());
            return Err(Error::new(ErrorKind::Unavailable, cause));
        }
        let document = Arc::new(RevocationDocument { etag: etag(position, &ring.etag), jwt: jwt.into() });
        self.revocation_document.store(Arc::clone(&document));
        Ok(document)
    }
}

fn etag(position: Position, key_set: &str) -> String {
    format!("W/\"{}-{}-{}\"", position.epoch, position.seq, key_set.trim_matches('"'))
}

impl<'a> Entry<'a> {
    fn of(revocation: &'a Revocation) -> Self {
        let entry = revocation.entry();
        let (kind, id, not_before) = match entry.target {
            Target::Session(id) => ("session", id, None),
            Target::Token(id) => ("token", id, None),
            Target::Subject { sub, not_before } => ("subject", sub, Some(not_before)),
            Target::Client { client_id, not_before } => ("client", client_id, Some(not_before)),
        };
        Self { kind, id, not_before, exp: entry.expires_at }
    }
}
