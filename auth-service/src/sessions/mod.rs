//! Sessions: one login on one device, which is what RFC 9700 calls a refresh token family. One row
//! a session; a refresh is one compare-and-set on its generation.

mod end;

use std::time::Duration;

use shared_claims::ScopeSet;
use uuid::{NoContext, Uuid};

use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::users::Attributes;

pub use end::{EndReason, Ended};

/// A session. What it may still do is for [`Session::evaluate`] to say.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: String,
    pub user_id: String,
    pub client_id: ClientId,
    pub scope: ScopeSet,
    pub audience: String,
    pub auth_time: Timestamp,
    /// How the user proved who they are (RFC 8176).
    pub amr: Vec<String>,
    pub created_at: Timestamp,
    /// Ends the session unless it is refreshed before.
    pub idle_expires_at: Timestamp,
    /// Ends the session however often it is refreshed.
    pub expires_at: Timestamp,
    /// Number of refreshes; the refresh token of this generation is the one that is good.
    pub generation: i64,
    pub rotated_at: Timestamp,
    pub ended: Option<Ended>,
    /// The user agent of the login, truncated, by which the user recognises the session.
    pub device: Option<String>,
    /// `None` for a login without a browser.
    pub browser: Option<FromBrowser>,
}

/// A refresh token that was presented, as far as the session is concerned.
#[derive(Debug, Clone)]
pub struct Presented {
    pub session_id: String,
    pub generation: i64,
    pub client_id: ClientId,
    pub now: Timestamp,
    /// How long the predecessor of the current generation is answered with the current one.
    pub grace: Duration,
}

/// What a presented refresh token means for a session that did not rotate by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluation {
    /// It is the current generation: it may be spent.
    Current,
    /// The answer was lost on its way: the same successor again, and no row is written.
    Repeated,
    /// Someone else has used it: the session ends.
    Reused,
    Expired,
    Ended,
    /// Another client's; says nothing about the session and spends nothing.
    NotYours,
}

/// What a session has of the browser session that it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromBrowser {
    pub browser_session_id: String,
    /// It goes on when the browser session ends (`offline_access`).
    pub offline: bool,
    /// Claims that userinfo returns beside those of the scope (OpenID Connect Core section 5.5).
    pub userinfo_claims: Vec<String>,
}

/// What a session begins with.
#[derive(Debug, Clone)]
pub struct NewSession {
    pub id: String,
    pub user_id: String,
    pub client_id: ClientId,
    pub scope: ScopeSet,
    pub audience: String,
    pub auth_time: Timestamp,
    pub amr: Vec<String>,
    pub created_at: Timestamp,
    /// Ends the session unless it is refreshed before.
    pub idle_ttl: Duration,
    /// Ends the session however often it is refreshed.
    pub absolute_ttl: Duration,
    /// A refresh token is valid for so long after its `exp`: the session lasts longer by it.
    pub leeway: Duration,
    pub device: Option<String>,
    pub browser: Option<FromBrowser>,
}

impl Session {
    /// Ordered by time, so that new rows go to one end of the index (UUID version 7).
    #[must_use]
    pub fn new_id(now: Timestamp) -> String {
        let within_second = u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, now.seconds(), within_second)).to_string()
    }

    /// A session that has just begun, at generation 0.
    #[must_use]
    pub fn begin(new: NewSession) -> Self {
        let now = new.created_at;
        Self {
            id: new.id,
            user_id: new.user_id,
            client_id: new.client_id,
            scope: new.scope,
            audience: new.audience,
            auth_time: new.auth_time,
            amr: new.amr,
            created_at: now,
            idle_expires_at: now.plus(new.idle_ttl.min(new.absolute_ttl) + new.leeway),
            expires_at: now.plus(new.absolute_ttl + new.leeway),
            generation: 0,
            rotated_at: now,
            ended: None,
            device: new.device,
            browser: new.browser,
        }
    }

    /// Evaluates a refresh token against this session. Nothing is compared by time but the grace, so
    /// that reuse is noticed whatever a clock does; a clock that jumped makes the grace shorter,
    /// never longer.
    #[must_use]
    pub fn evaluate(&self, presented: &Presented) -> Evaluation {
        if presented.client_id != self.client_id {
            return Evaluation::NotYours;
        }
        if self.ended.is_some() {
            return Evaluation::Ended;
        }
        if self.refresh_expires_at() <= presented.now {
            return Evaluation::Expired;
        }
        let within_grace =
            self.rotated_at.distance(presented.now) <= presented.grace && !presented.grace.is_zero();
        if presented.generation == self.generation {
            Evaluation::Current
        } else if presented.generation + 1 == self.generation && within_grace {
            Evaluation::Repeated
        } else {
            Evaluation::Reused
        }
    }

    /// Whether a token goes on in this session where none is rotated: the current one, or the one of another system
    /// that stands before the first.
    #[must_use]
    pub fn is_kept_by(&self, presented: &Presented) -> bool {
        let current = presented.generation == self.generation;
        let before_the_first = presented.generation == -1 && self.generation == 0;
        presented.client_id == self.client_id
            && self.ended.is_none()
            && self.refresh_expires_at() > presented.now
            && (current || before_the_first)
    }

    /// When the current refresh token expires: the idle end, but never after the absolute one.
    #[must_use]
    pub fn refresh_expires_at(&self) -> Timestamp {
        self.idle_expires_at.min(self.expires_at)
    }
}

/// The outcome of [`crate::storage::Storage::rotate_session`].
#[derive(Debug)]
pub enum Rotation {
    /// The session as it stands now, whether this call rotated it or an earlier one did.
    Holds {
        session: Session,
        /// Of its account, which is active.
        attributes: Attributes,
        repeated: bool,
    },
    /// The token was spent before; the session has been ended by this call.
    Reused {
        session: Session,
    },
    Expired,
    /// It had ended before; the reason is unknown only for a row that was edited by hand.
    Ended(Option<EndReason>),
    /// No such session, or another client's; nothing was spent.
    Unknown,
}

impl Rotation {
    /// As the metrics name it.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Holds { repeated: false, .. } => "rotated",
            Self::Holds { repeated: true, .. } => "repeated",
            Self::Reused { .. } => "reused",
            Self::Expired => "expired",
            Self::Ended(_) => "ended",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests;
