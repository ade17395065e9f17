use super::not_found;
use super::users::parse;
use crate::authority::Authority;
use crate::clients::ClientId;
use crate::error::Result;
use crate::storage::{SessionPage, SessionSummary, SessionsOf};

impl Authority {
    /// The ID of a user.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn user_id(&self, username: &str) -> Result<String> {
        let user = self.storage.find_user(&parse(username)?)?;
        user.map(|user| user.id).ok_or_else(|| not_found("user", username))
    }

    /// Sessions, the oldest first, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn sessions_page(&self, page: &SessionPage) -> Result<Vec<SessionSummary>> {
        Ok(self.storage.sessions_page(page, self.now())?)
    }

    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn session_summary(&self, id: &str) -> Result<SessionSummary> {
        self.storage.session_summary(id)?.ok_or_else(|| not_found("session", id))
    }

    /// Ends one session: `Ok(false)` when it had ended before.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn end_session_by_id(&self, id: &str) -> Result<bool> {
        let session = self.session_summary(id)?;
        Ok(self.end_sessions(&SessionsOf::One(session.id))? > 0)
    }

    /// Ends every live session of a user: how many. They also end at the previous issuer, whose tokens are no longer
    /// exchanged.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn end_sessions_of_user(&self, username: &str) -> Result<usize> {
        self.end_sessions(&SessionsOf::User(self.user_id(username)?))
    }

    /// Ends every live session that a client holds: how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn end_sessions_of_client(&self, id: &ClientId) -> Result<usize> {
        self.end_sessions(&SessionsOf::Client(id.clone()))
    }

    fn end_sessions(&self, of: &SessionsOf) -> Result<usize> {
        let now = self.now();
        Ok(self.storage.end_sessions(of, now, self.revoked_until(now))?)
    }
}
