use std::time::Duration;

use super::fault::AuthorizeFault;
use super::prompt::{AcrWish, Prompt};
use crate::browser_sessions::Acr;
use crate::clock::Timestamp;

/// Everything that decides what comes next in a login.
#[derive(Debug, Clone)]
pub(super) struct Situation<'a> {
    pub prompt: Prompt,
    pub max_age: Option<Duration>,
    pub acr: &'a AcrWish,
    /// The only user who will do.
    pub hinted_user: Option<&'a str>,
    pub session: Option<Candidate<'a>>,
    pub progress: Done,
    pub now: Timestamp,
}

/// The browser session that would be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub user_id: &'a str,
    pub auth_time: Timestamp,
    pub acr: Acr,
    /// The user has allowed the client what it asks for, or does not have to.
    pub is_consented: bool,
}

/// What the user has done on the pages of this request. It is kept by the page, not compared by times: `max_age=0` and
/// `prompt=login` are met by one login, also where the clocks of two replicas differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub logged_in: bool,
    pub chose_account: bool,
    pub consented: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    SignIn,
    ChooseAccount,
    Consent,
    /// The code.
    Finish,
    Refuse(AuthorizeFault),
}

/// Decides it. With `prompt=none` each page is an error (OpenID Connect Core section 3.1.2.6).
pub(super) fn next_step(situation: &Situation<'_>) -> NextStep {
    let step = next_page(situation);
    if !situation.prompt.none {
        return step;
    }
    match step {
        NextStep::SignIn | NextStep::ChooseAccount => NextStep::Refuse(AuthorizeFault::LoginRequired),
        NextStep::Consent => NextStep::Refuse(AuthorizeFault::ConsentRequired),
        NextStep::Finish | NextStep::Refuse(_) => step,
    }
}

fn next_page(situation: &Situation<'_>) -> NextStep {
    let Situation { prompt, max_age, acr, hinted_user, session, progress, now } = situation;
    let Some(session) = session else { return NextStep::SignIn };
    if acr.is_impossible {
        return NextStep::Refuse(AuthorizeFault::UnmetAuthenticationRequirements);
    }
    if prompt.select_account && !progress.chose_account && !progress.logged_in {
        return NextStep::ChooseAccount;
    }
    if hinted_user.is_some_and(|hinted| hinted != session.user_id) {
        // Another user than the client's has logged in: it must not be told that this is the one.
        return if progress.logged_in {
            NextStep::Refuse(AuthorizeFault::LoginRequired)
        } else {
            NextStep::SignIn
        };
    }
    let is_too_old = max_age.is_some_and(|max_age| session.auth_time.plus(max_age) < *now);
    if (prompt.login || is_too_old) && !progress.logged_in {
        return NextStep::SignIn;
    }
    if !acr.is_met_by(session.acr) {
        if !progress.logged_in {
            return NextStep::SignIn;
        }
        if acr.is_essential {
            return NextStep::Refuse(AuthorizeFault::UnmetAuthenticationRequirements);
        }
    }
    if progress.consented || (session.is_consented && !prompt.consent) {
        return NextStep::Finish;
    }
    NextStep::Consent
}

#[cfg(test)]
mod tests;
