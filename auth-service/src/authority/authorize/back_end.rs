//! Browser sessions for the back ends of applications, which show users where they are logged in.

use crate::audit::Actor;
use crate::authority::Authority;
use crate::clients::{BROWSER_SESSIONS_SCOPE, Client};
use crate::context::RequestContext;
use crate::error::Result;
use crate::storage::BrowserSessionSummary;

impl Authority {
    /// The browser sessions of a user that have not ended, idle or not, for a client with the right to list them.
    ///
    /// # Errors
    /// `OAuth(UnauthorizedClient)`; `Unavailable`.
    pub fn browser_sessions_for(&self, client: &Client, user_id: &str) -> Result<Vec<BrowserSessionSummary>> {
        client.check_own_scope(BROWSER_SESSIONS_SCOPE, "list or end browser sessions")?;
        self.browser_sessions_of_user(user_id)
    }

    /// Logs a user out in one of their browsers: whether the browser session had not ended before.
    ///
    /// # Errors
    /// `OAuth(UnauthorizedClient)`; `Unavailable`.
    pub fn end_browser_session_for(
        &self,
        client: &Client,
        user_id: &str,
        unverified_id: &str,
        context: &RequestContext,
    ) -> Result<bool> {
        client.check_own_scope(BROWSER_SESSIONS_SCOPE, "list or end browser sessions")?;
        self.end_browser_session_of_user(user_id, unverified_id, Actor::Client(client.id.clone()), context)
    }
}
