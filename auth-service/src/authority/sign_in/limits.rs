//! Counts attempts, and refuses those of which there were too many.

use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::users::Attempt;

/// Why a login is refused whose name or network has failed too often.
pub(crate) const TOO_MANY_LOGINS: &str = "too many logins have failed";

/// The audit entry of a user who has tried too often.
pub(in crate::authority) fn limited_by(user_id: &str) -> Event {
    Event::of(Action::AttemptsLimited).by(Actor::User(user_id.to_owned())).user(user_id)
}

impl Authority {
    /// Counts an attempt as failed before it is made, and refuses it when there were too many: before any work is done
    /// and whatever is presented. `event` names the attempt in the audit log.
    ///
    /// # Errors
    /// `TooManyAttempts` with `cause`; `Unavailable`: what cannot be counted is not tried.
    pub(crate) fn check_limit(
        &self,
        attempt: &Attempt,
        cause: &'static str,
        context: &RequestContext,
        event: impl FnOnce() -> Event,
    ) -> Result<()> {
        let Some(limited) = self.storage.begin_attempt(attempt, self.now())? else { return Ok(()) };
        self.note_limited(&limited.count, cause, context, event)?;
        Err(Error::too_many_attempts(limited.wait, cause))
    }

    /// Writes a refusal to the audit log, if it is one that gets an entry.
    ///
    /// # Errors
    /// `Unavailable`.
    pub(crate) fn note_limited(
        &self,
        count: &str,
        cause: &'static str,
        context: &RequestContext,
        event: impl FnOnce() -> Event,
    ) -> Result<()> {
        let Some(unnoted) = self.sign_in.limited_entries.count(cause, count, self.now()) else {
            return Ok(());
        };
        let event = event().refused(cause);
        let event = match unnoted {
            0 => event,
            _ => event.detail(format!("{unnoted} more refused for too many attempts before this one")),
        };
        self.storage
            .on_behalf_of(context)
            .note(event)
            .inspect_err(|_| self.sign_in.limited_entries.undo(cause, count, unnoted))?;
        Ok(())
    }

    /// Reverts the count of an attempt that did not fail. If that cannot be written, it expires soon.
    pub(crate) fn give_back(&self, attempt: &Attempt) {
        if let Err(error) = self.storage.give_back(attempt) {
            tracing::warn!(%error, "an attempt that did not fail stays counted as a failure");
        }
    }
}
