use super::{Actor, Event, PersonalData};
use crate::clock::Timestamp;

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3, without gaps.
    pub seq: i64,
    pub at: Timestamp,
    pub action: String,
    /// `done`, or `refused: ` and why.
    pub outcome: String,
    pub actor: String,
    pub user_id: Option<String>,
    pub client_id: Option<String>,
    pub session_id: Option<String>,
    pub key_id: Option<String>,
    pub detail: String,
    /// Of the request that caused it.
    pub request_id: Option<String>,
    pub personal: PersonalData,
    /// Over [`Self::personal`]; stays when that is erased. `None` of an entry that never had any.
    pub personal_mac: Option<Vec<u8>>,
}

impl AuditEntry {
    /// Without its personal data.
    pub(super) fn new(seq: i64, at: Timestamp, event: &Event, process: &Actor) -> Self {
        let outcome = match &event.refused {
            None => "done".to_owned(),
            Some(cause) => format!("refused: {cause}"),
        };
        Self {
            seq,
            at,
            action: event.action.as_str().to_owned(),
            outcome,
            actor: event.actor.as_ref().unwrap_or(process).to_string(),
            user_id: event.user_id.clone(),
            client_id: event.client_id.clone(),
            session_id: event.session_id.clone(),
            key_id: event.key_id.clone(),
            detail: event.detail.clone(),
            request_id: None,
            personal: PersonalData::default(),
            personal_mac: None,
        }
    }

    /// Why it was refused; `None` when it was done.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.outcome.strip_prefix("refused: ")
    }

    /// Whether it had personal data that were erased with their user.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.personal_mac.is_some() && self.personal == PersonalData::default()
    }
}
