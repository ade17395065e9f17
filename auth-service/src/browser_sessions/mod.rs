//! Browser sessions: a user who is logged in, in one browser. The sessions of clients come from it, and end with it.

mod cookie;

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared_claims::ScopeSet;

use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::secret::HashedSecret;

pub use cookie::{Ticket, Tickets};

/// How long they live, and how many a browser has.
#[derive(Debug, Clone, Copy)]
pub struct BrowserSessionPolicy {
    /// Ends one that no client was logged in with for so long.
    pub idle: Duration,
    /// Ends one however often it is used.
    pub absolute: Duration,
    /// Accounts that are logged in at one time in one browser.
    pub accounts: usize,
}

impl BrowserSessionPolicy {
    /// Until when a browser session goes on that is used now; `None` while its end, where that is known, has hardly come nearer:
    /// most logins write nothing for it.
    #[must_use]
    pub fn kept_until(&self, idle_expires_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let until = now.plus(self.idle);
        let soon_enough = until.minus(self.idle / 10);
        idle_expires_at.is_none_or(|at| at < soon_enough).then_some(until)
    }
}

/// A user who is logged in, in one browser.
#[derive(Debug, Clone)]
pub struct BrowserSession {
    pub id: String,
    /// Of the cookie.
    pub secret: HashedSecret,
    pub user_id: String,
    pub auth_time: Timestamp,
    /// How the user proved who they are (RFC 8176).
    pub amr: Vec<String>,
    pub created_at: Timestamp,
    pub idle_expires_at: Timestamp,
    pub expires_at: Timestamp,
    /// The user agent, by which the user recognises the browser.
    pub device: Option<String>,
}

/// One that is live, with what a request needs of its user.
#[derive(Debug, Clone)]
pub struct LiveBrowserSession {
    pub session: BrowserSession,
    pub username: String,
    pub password_epoch: i64,
    /// What the user has allowed the client that asks, for the audience that it asks for.
    pub consented: Option<ScopeSet>,
}

/// One that has not ended, idle for too long or not: a logout ends all that came from it.
#[derive(Debug, Clone)]
pub struct UnendedBrowserSession {
    pub id: String,
    pub user_id: String,
    pub username: String,
    pub secret: HashedSecret,
}

impl BrowserSession {
    /// How the user proved who they are, as a class (OpenID Connect Core section 2).
    #[must_use]
    pub fn acr(&self) -> Acr {
        Acr::of(&self.amr)
    }
}

/// Authentication context class: how many factors were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    OneFactor,
    TwoFactors,
}

impl Acr {
    pub const ALL: [Self; 2] = [Self::OneFactor, Self::TwoFactors];

    #[must_use]
    pub fn of(amr: &[String]) -> Self {
        if amr.iter().any(|method| method == "mfa") { Self::TwoFactors } else { Self::OneFactor }
    }

    /// The `acr` of tokens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneFactor => "1",
            Self::TwoFactors => "2",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|acr| acr.as_str() == text)
    }
}

/// The `sid` of ID tokens and logout tokens: the same for all of one browser session at one client, and another one at each
/// client, so that two of them cannot find out that they serve the same browser.
#[must_use]
pub fn sid(browser_session_id: &str, client: &ClientId) -> String {
    let text = format!("{browser_session_id} {client}");
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}
