//! The login of a user in a browser.

use super::page::Problem;
use super::resume::Submitted;
use super::tab::TabLogin;
use super::{Answer, Browser};
use crate::audit::Actor;
use crate::authority::Authority;
use crate::authority::sign_in::{SignedIn, sign_in_outcome};
use crate::browser_sessions::{BrowserSession, Ticket, Tickets, UnendedBrowserSession};
use crate::error::{Error, ErrorKind, Result, SignInFault};
use crate::metrics;
use crate::secret::{HashedSecret, PlainSecret};
use crate::sessions::Session;
use crate::storage::{Login, Start};

impl Authority {
    /// Begins the browser session of a user who has proved who they are; `retry` shows the page again to one who has not.
    pub(super) fn log_in(
        &self,
        login: TabLogin,
        signed_in: Result<SignedIn>,
        submitted: &Submitted,
        retry: impl FnOnce(&Self, TabLogin, Problem) -> Result<Answer>,
    ) -> Result<Answer> {
        let outcome =
            signed_in.and_then(|signed_in| self.begin_browser_session(signed_in, &submitted.browser));
        metrics::login(sign_in_outcome(&outcome));
        match outcome {
            Ok((id, tickets)) => {
                let interaction = login.interaction.logged_in_as(id);
                let browser = Browser { tickets: tickets.clone(), ..submitted.browser.clone() };
                let answer = self.proceed(TabLogin { interaction, ..login }, &browser)?;
                Ok(Answer { tickets: Some(tickets), ..answer })
            }
            Err(error) => match problem_of(&error) {
                Some(problem) => Ok(Answer { refused: Some(error), ..retry(self, login, problem)? }),
                None => Err(error),
            },
        }
    }

    fn begin_browser_session(&self, mut signed_in: SignedIn, browser: &Browser) -> Result<(String, Tickets)> {
        let now = self.now();
        let policy = self.authorize.policy.browser_sessions;
        let secret = PlainSecret::generate()?;
        let held = self.unended_of(browser)?;
        // It goes on, so that a logout ends all that came from it.
        let renews = held.iter().find(|held| held.user_id == signed_in.user.id).map(|held| held.id.clone());
        let session = BrowserSession {
            id: Session::new_id(now),
            secret: HashedSecret::of(&secret),
            user_id: signed_in.user.id.clone(),
            auth_time: signed_in.auth_time,
            amr: signed_in.amr.clone(),
            created_at: now,
            idle_expires_at: now.plus(policy.idle.min(policy.absolute)),
            expires_at: now.plus(policy.absolute),
            device: browser.context.device(),
        };
        let login = Login {
            rehashed: signed_in.rehashed.take(),
            known: signed_in.known_network.clone(),
            factor: signed_in.factor.take(),
            limit: None,
            attempt: signed_in.attempt.take(),
        };
        let storage = self.storage.on_behalf_of(&browser.context);
        let (started, id) = storage.begin_browser_session(session, &signed_in.user, login, renews)?;
        self.check_started(started, &signed_in)?;
        let proved = browser.tickets.clone().retain(|ticket| held.iter().any(|held| held.id == ticket));
        let tickets = proved.with(Ticket { unverified_id: id.clone(), secret }, policy.accounts);
        self.end_what_fell_out(&held, &tickets, browser);
        Ok((id, tickets))
    }

    /// Browser sessions that no cookie names any more could not be ended by anyone. The login stands whether this succeeds or not.
    fn end_what_fell_out(&self, held: &[UnendedBrowserSession], tickets: &Tickets, browser: &Browser) {
        let named = tickets.unverified_ids();
        let storage = self.storage.on_behalf_of(&browser.context);
        for forgotten in held.iter().filter(|held| !named.contains(&held.id)) {
            match storage.end_browser_session(&forgotten.id, Some(Actor::Authority), self.browser_end()) {
                Ok(ended) => self.apply_ended(ended),
                Err(error) => tracing::warn!(%error, "a browser session that its browser forgot goes on"),
            }
        }
    }

    fn check_started(&self, started: Start, signed_in: &SignedIn) -> Result<()> {
        let refused = |cause: &str| {
            let cause = format!("user {}: {cause}", signed_in.user.id);
            Err(Error::new(SignInFault::InvalidCredentials, cause))
        };
        match started {
            Start::Done => {
                self.sign_in.note_known_network(signed_in.known_network.as_deref());
                Ok(())
            }
            Start::AccountChanged => refused("the account was changed during the login"),
            Start::FactorSpent => refused("the one-time password was used by another login"),
        }
    }
}

/// What the user can do something about.
fn problem_of(error: &Error) -> Option<Problem> {
    if let ErrorKind::TooManyAttempts(seconds) = error.kind {
        return Some(Problem::TooManyAttempts(seconds));
    }
    let is_wrong = error.kind == ErrorKind::SignIn(SignInFault::InvalidCredentials);
    is_wrong.then_some(Problem::WrongCredentials)
}
