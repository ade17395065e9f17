use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use shared_claims::revocations::DOCUMENT_TYPE;

use super::{Revocation, RevokedThing};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::tokens::sign;

/// The signed document as it is served at `GET /revocations`, made once for each change.
#[derive(Default)]
pub struct RevocationDocument {
    /// Empty until the first one is made.
    pub jwt: String,
    /// Strong entity tag, with its quotes.
    pub etag: String,
    /// When the first of its entries is no longer needed.
    pub(crate) next_expiry: Option<Timestamp>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: u64,
    /// Grows with every revocation, so that a verifier never goes back to an older document.
    seq: i64,
    /// The ETag of the key set: verifiers fetch it when this changes.
    key_set: &'a str,
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
    /// Makes the document anew. `counted` is the counter as it stood before `live` was read; a newer
    /// entry among them raises it, so that no replica's document of this number lacks it.
    pub(crate) fn publish_revocations(
        &self,
        counted: i64,
        live: &[Revocation],
        now: Timestamp,
    ) -> Result<()> {
        let ring = self.keys.ring();
        let signer = self.signer_for("")?;
        let claims = Claims {
            iss: &self.issuer,
            iat: now.seconds(),
            seq: live.iter().map(|revocation| revocation.seq).fold(counted, i64::max),
            key_set: &ring.etag,
            revocations: live.iter().map(Entry::of).collect(),
        };
        let jwt = sign(&signer, DOCUMENT_TYPE, &claims)?;
        let hash = digest::digest(&digest::SHA256, jwt.as_bytes());
        self.revocation_document.store(std::sync::Arc::new(RevocationDocument {
            etag: format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])),
            jwt,
            next_expiry: live.iter().map(|revocation| revocation.expires_at).min(),
        }));
        Ok(())
    }

    /// The current document.
    #[must_use]
    pub fn revocations(&self) -> std::sync::Arc<RevocationDocument> {
        self.revocation_document.load_full()
    }
}

impl<'a> Entry<'a> {
    fn of(revocation: &'a Revocation) -> Self {
        let (kind, id, not_before) = match &revocation.thing {
            RevokedThing::Session(id) => ("session", id, None),
            RevokedThing::Token(id) => ("token", id, None),
            RevokedThing::Client { id, not_before } => ("client", id, Some(not_before.seconds())),
        };
        Self { kind, id, not_before, exp: revocation.expires_at.seconds() }
    }
}
