//! The claims of signed revocations and signed times.

use serde::Serialize;
use shared_claims::revocations::Target;

use crate::revocations::Revocation;

#[derive(Serialize)]
pub(super) struct TimeClaims<'a> {
    pub iss: &'a str,
    pub iat: u64,
    pub epoch: u64,
    pub seq: u64,
}

#[derive(Serialize)]
pub(super) struct DocumentClaims<'a> {
    pub iss: &'a str,
    pub iat: u64,
    /// Names the history that `seq` counts in.
    pub epoch: u64,
    /// Grows with every revocation, so that a verifier never goes back to an older document.
    pub seq: u64,
    /// The ETag of the key set: verifiers fetch it when this changes.
    pub key_set: &'a str,
    /// Grows with every change of the keys.
    pub keys: u64,
    /// The number behind which the entries begin; absent where they are all that there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Whether there are more behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<bool>,
    pub revocations: Vec<RevocationItem<'a>>,
}

#[derive(Serialize)]
pub(super) struct RevocationItem<'a> {
    pub kind: &'static str,
    pub id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    pub exp: u64,
}

impl<'a> RevocationItem<'a> {
    pub(super) fn of(revocation: &'a Revocation) -> Self {
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
