use super::page::Page;
use super::response::ClientResponse;
use crate::browser_sessions::Tickets;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::secret::PlainSecret;

/// The browser that a request comes from.
#[derive(Debug, Clone)]
pub struct Browser {
    /// The accounts that are logged in there.
    pub tickets: Tickets,
    /// What its pages are bound to; `None` for a browser that has seen none yet.
    pub binding: Option<PlainSecret>,
    pub context: RequestContext,
}

/// What the pages of a browser are bound to.
#[derive(Debug)]
pub(super) struct Binding {
    pub secret: PlainSecret,
    /// The same, for a browser that has none yet.
    pub to_set: Option<PlainSecret>,
}

impl Browser {
    /// Its binding, or a new one.
    pub(super) fn bind(&self) -> Result<Binding> {
        let known = self.binding.clone().map(|secret| Binding { secret, to_set: None });
        known.map_or_else(Binding::generate, Ok)
    }
}

impl Binding {
    fn generate() -> Result<Self> {
        let secret = PlainSecret::generate()?;
        Ok(Self { to_set: Some(secret.clone()), secret })
    }
}

/// What a browser gets.
#[derive(Debug)]
pub struct Answer {
    pub outcome: Outcome,
    /// The accounts that are logged in now, where that has changed.
    pub tickets: Option<Tickets>,
    /// For a browser that has none.
    pub binding: Option<PlainSecret>,
    /// The languages that the client says the user reads.
    pub ui_locales: Option<String>,
    /// What was refused, for the line of the request in the log.
    pub refused: Option<Error>,
}

#[derive(Debug)]
pub enum Outcome {
    ToClient(ClientResponse),
    Page(Page),
}

impl Answer {
    pub(super) fn of(outcome: Outcome) -> Self {
        Self { outcome, tickets: None, binding: None, ui_locales: None, refused: None }
    }

    pub(super) fn page(page: Page) -> Self {
        Self::of(Outcome::Page(page))
    }

    pub(super) fn to_client(response: ClientResponse) -> Self {
        Self::of(Outcome::ToClient(response))
    }
}
