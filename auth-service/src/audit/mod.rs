//! The audit log: who did what to whom, with which outcome. An entry is written in the transaction of
//! what it records: an effect without an entry is impossible.
//!
//! Client tokens and refreshes that go well are not in it: they are counted, and their sessions are.

mod action;
mod actor;
mod chain;
mod limited;

pub use action::Action;
pub use actor::Actor;
pub use chain::{Broken, Chain, Link, Mac};
pub use limited::LimitedEntries;

use crate::clock::Timestamp;

/// One thing to be written down.
#[derive(Debug, Clone)]
pub struct Event {
    pub action: Action,
    /// `None` when it was done, else why it was refused: never what the caller sent.
    pub refused: Option<String>,
    /// `None` for anyone who runs this process.
    pub actor: Option<Actor>,
    pub user_id: Option<String>,
    pub client_id: Option<String>,
    pub session_id: Option<String>,
    pub key_id: Option<String>,
    pub detail: String,
}

impl Event {
    #[must_use]
    pub fn of(action: Action) -> Self {
        Self {
            action,
            refused: None,
            actor: None,
            user_id: None,
            client_id: None,
            session_id: None,
            key_id: None,
            detail: String::new(),
        }
    }

    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    #[must_use]
    pub fn user(self, id: &str) -> Self {
        Self { user_id: Some(id.to_owned()), ..self }
    }

    #[must_use]
    pub fn client(self, id: &str) -> Self {
        Self { client_id: Some(id.to_owned()), ..self }
    }

    #[must_use]
    pub fn session(self, id: &str) -> Self {
        Self { session_id: Some(id.to_owned()), ..self }
    }

    #[must_use]
    pub fn key(self, kid: &str) -> Self {
        Self { key_id: Some(kid.to_owned()), ..self }
    }

    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    #[must_use]
    pub fn refused(self, cause: &str) -> Self {
        Self { refused: Some(cause.to_owned()), ..self }
    }
}

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
}

impl AuditEntry {
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
        }
    }
}
