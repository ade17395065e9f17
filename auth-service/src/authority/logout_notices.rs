//! Tells clients that a browser session has ended (OpenID Connect Back-Channel Logout): what is said, and when it is said again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::authority::Authority;
use crate::authority::authorize::AwaitedNotice;
use crate::browser_sessions::sid;
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::keys::sign;
use crate::metrics;
use crate::secret::random_id;
use crate::storage::LogoutNotice;

/// `typ` of logout tokens (Back-Channel Logout section 2.4).
const LOGOUT_TOKEN_TYPE: &str = "logout+jwt";

/// How long one attempt may be under way at a client's.
const TOKEN_TTL: Duration = Duration::from_secs(120);

/// A client that is away is asked again this often at first, so that it learns of a logout soon after it is back.
const SHORT_PAUSE: Duration = Duration::from_secs(4);

/// How long that goes on; then the pause grows with the age of the notice.
const SHORT_FOR: Duration = Duration::from_secs(600);

const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// After so long the client has forgotten the session by itself.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A notice that is ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    pub url: String,
    /// The form field `logout_token`.
    pub logout_token: String,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    Told,
    Failed,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
    events: BTreeMap<&'static str, BTreeMap<(), ()>>,
    sid: String,
}

impl Authority {
    /// Takes notices that are due, for as long as an attempt may take.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn take_logout_notices(&self, lease: Duration) -> Result<Vec<LogoutNotice>> {
        Ok(self.storage.take_logout_notices(self.now(), lease)?)
    }

    /// Sets the gauges of what waits.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn count_logout_notices(&self) -> Result<()> {
        let (count, oldest) = self.storage.waiting_logout_notices()?;
        let now = self.now();
        metrics::logout_notices_waiting(count, oldest.map(|oldest| oldest.distance(now)).unwrap_or_default());
        Ok(())
    }

    /// Whether a client has yet to be notified.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn awaits_logout_notice(&self, notice: &AwaitedNotice) -> Result<bool> {
        let AwaitedNotice { client_id, browser_session_id } = notice;
        Ok(self.storage.awaits_logout_notice(client_id.as_str(), browser_session_id)?)
    }

    /// What is sent for a notice, signed now: a token of an earlier attempt would have expired. `Ok(None)` when the client is
    /// gone, or does not want to be told any more.
    ///
    /// # Errors
    /// `Unavailable` when no key is active.
    pub fn outgoing(&self, notice: &LogoutNotice) -> Result<Option<Outgoing>> {
        let client = ClientId::parse(&notice.client_id).and_then(|id| self.clients.enabled(&id));
        let Some(client) = client else { return Ok(None) };
        let Some(url) = client.login.backchannel_logout_uri.clone() else { return Ok(None) };
        let now = self.now();
        let signer = self.issuer.signer_of(Some(client.login.id_token_algorithm))?;
        let claims = Claims {
            iss: &self.issuer.url,
            sub: &notice.user_id,
            aud: client.id.as_str(),
            iat: now.seconds(),
            exp: now.plus(TOKEN_TTL).seconds(),
            jti: random_id()?,
            events: BTreeMap::from([("http://schemas.openid.net/event/backchannel-logout", BTreeMap::new())]),
            sid: sid(&notice.browser_session_id, &client.id),
        };
        let logout_token = sign(&signer, LOGOUT_TOKEN_TYPE, &claims)?;
        Ok(Some(Outgoing { url, logout_token }))
    }

    /// Deletes a notice whose client was told, or that is too old; schedules the next attempt of another.
    ///
    /// # Errors
    /// `Unavailable`: the notice is due again when its lease ends.
    pub fn settle_logout_notice(&self, notice: LogoutNotice, attempt: Attempt) -> Result<()> {
        let again = match attempt {
            Attempt::Told => None,
            Attempt::Failed => next_attempt(Timestamp(notice.created_at), self.now()),
        };
        Ok(self.storage.settle_logout_notices(vec![(notice, again)])?)
    }
}

/// `None` to give up.
fn next_attempt(created_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let age = created_at.distance(now);
    if age >= GIVE_UP_AFTER {
        return None;
    }
    let pause = if age < SHORT_FOR { SHORT_PAUSE } else { (age / 10).min(LONGEST_PAUSE) };
    Some(now.plus(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_away_is_asked_often_at_first_and_rarely_later() {
        let at = |age: u64| {
            let now = Timestamp(1_000_000_000);
            next_attempt(now.minus(Duration::from_secs(age)), now).map(|next| now.distance(next).as_secs())
        };
        assert_eq!((at(0), at(599)), (Some(4), Some(4)));
        assert_eq!((at(600), at(7200)), (Some(60), Some(720)));
        assert_eq!((at(80_000), at(86_400)), (Some(3600), None));
    }
}
