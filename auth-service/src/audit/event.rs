use super::{Action, Actor};

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
    /// The username that an attempt named, as it was sent.
    pub unverified_username: Option<String>,
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
            unverified_username: None,
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

    /// Names the username that was tried. Only for refusals: it is what the caller sent, bounded and escaped in the entry.
    #[must_use]
    pub fn tried(self, unverified_username: &str) -> Self {
        Self { unverified_username: Some(unverified_username.to_owned()), ..self }
    }

    #[must_use]
    pub fn refused(self, cause: &str) -> Self {
        Self { refused: Some(cause.to_owned()), ..self }
    }
}
