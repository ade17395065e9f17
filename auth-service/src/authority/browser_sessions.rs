use uuid::Uuid;

use super::Authority;
use crate::audit::Actor;
use crate::context::RequestContext;
use crate::error::Result;
use crate::storage::{BrowserSessionPage, BrowserSessionSummary};

/// Browser sessions of one user that are listed.
const MOST_LISTED: u32 = 1000;

impl Authority {
    /// The browser sessions of a user that have not ended, idle or not; none of a user that does not exist.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(in crate::authority) fn browser_sessions_of_user(
        &self,
        user_id: &str,
    ) -> Result<Vec<BrowserSessionSummary>> {
        let user_id = Some(user_id.to_owned());
        let page = BrowserSessionPage { user_id, after: String::new(), limit: MOST_LISTED };
        Ok(self.storage.browser_sessions_page(&page, self.now())?)
    }

    /// Logs a user out in one of their browsers, and at what they logged in to from there: whether the browser session had not ended before.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(in crate::authority) fn end_browser_session_of_user(
        &self,
        user_id: &str,
        unverified_id: &str,
        by: Actor,
        context: &RequestContext,
    ) -> Result<bool> {
        let Ok(id) = Uuid::try_parse(unverified_id) else { return Ok(false) };
        let id = id.to_string();
        let found = self.storage.unended_browser_sessions(std::slice::from_ref(&id), self.now())?;
        if !found.iter().any(|session| session.user_id == user_id) {
            return Ok(false);
        }
        let storage = self.storage.on_behalf_of(context);
        let ended = storage.end_browser_session(&id, Some(by), self.browser_end())?;
        let had_not_ended = ended.is_some();
        self.apply_ended(ended);
        Ok(had_not_ended)
    }
}
