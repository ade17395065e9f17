use super::not_found;
use crate::authority::Authority;
use crate::clients::ClientId;
use crate::error::Result;
use crate::storage::{BrowserEnd, BrowserSessionPage, BrowserSessionSummary, Consent};

impl Authority {
    /// Live browser sessions, the oldest first, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn browser_sessions_page(&self, page: &BrowserSessionPage) -> Result<Vec<BrowserSessionSummary>> {
        Ok(self.storage.browser_sessions_page(page, self.now())?)
    }

    /// Ends a browser session and what came from it: how many sessions of clients ended.
    ///
    /// # Errors
    /// `Admin(NotFound)`, also when it had ended before; `Unavailable`.
    pub fn end_browser_session(&self, id: &str) -> Result<usize> {
        let ended = self.storage.end_browser_session(id, None, self.browser_end())?;
        ended.map(|ended| ended.count).ok_or_else(|| not_found("browser session", id))
    }

    /// What users have allowed clients, at most 1000.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn consents(&self, user_id: Option<&str>, client_id: Option<&ClientId>) -> Result<Vec<Consent>> {
        Ok(self.storage.consents(user_id, client_id, self.now())?)
    }

    /// Withdraws what a user has allowed a client, and ends the sessions that came from it: how many.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn withdraw_consent(&self, username: &str, client_id: &ClientId) -> Result<usize> {
        let user_id = self.user_id(username)?;
        let ended = self.storage.withdraw_consent(&user_id, client_id, None, self.browser_end())?;
        ended.map(|ended| ended.count).ok_or_else(|| not_found("consent", client_id.as_str()))
    }

    pub(in crate::authority) fn browser_end(&self) -> BrowserEnd {
        let now = self.now();
        BrowserEnd { now, revoked_until: self.revoked_until(now) }
    }
}
