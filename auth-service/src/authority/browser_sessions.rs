use uuid::Uuid;

use super::Authority;
use crate::audit::Actor;
use crate::context::RequestContext;
use crate::error::Result;
use crate::storage::{BrowserSessionPage, BrowserSessionSummary};

/// Browser sessions of one user that are listed.
const MOST_LISTED: u32 = 1000;

impl Authority {
    /// The browsers in which a user is logged in; none of a user that there is not.
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

    /// Logs a user out in one of their browsers, and at what they logged in to from there: whether it was still logged in.
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
        if !self.browser_sessions_of_user(user_id)?.iter().any(|session| session.id == id) {
            return Ok(false);
        }
        let storage = self.storage.on_behalf_of(context);
        let ended = storage.end_browser_session(&id, Some(by), self.browser_end())?;
        let was_live = ended.is_some();
        self.apply_ended(ended);
        self.authorize.logout_notices.notify_one();
        Ok(was_live)
    }
}
