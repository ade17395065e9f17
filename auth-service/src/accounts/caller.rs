use std::net::IpAddr;

use super::SecondFactorState;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::PlainSecret;
use crate::users::{Attempt, User};

/// A person who is logged in at a first-party application, by an access token.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user_id: String,
    pub session_id: String,
    pub peer: Option<IpAddr>,
}

/// An account as its owner sees it.
pub struct OwnAccount {
    pub user: User,
    pub email: Option<String>,
    pub email_verified: bool,
    pub second_factor: SecondFactorState,
}

impl Authority {
    /// Who calls, by a token that was issued to a first-party application: what was issued to others is for their use,
    /// and does not open the account.
    ///
    /// # Errors
    /// `Token` with the fault; `Unavailable`.
    pub fn authenticate_caller(&self, unverified_token: &str, peer: Option<IpAddr>) -> Result<Caller> {
        let claims = self.read_live_access_token(unverified_token)?;
        match &claims.sid {
            Some(session_id) if claims.client_id == self.first_party.id.as_str() => {
                Ok(Caller { user_id: claims.sub.clone(), session_id: session_id.clone(), peer })
            }
            _ => Err(Error::new(
                ErrorKind::UnauthorizedClient,
                "not a person's token of a first-party application",
            )),
        }
    }

    /// What the caller may see of their own account.
    ///
    /// # Errors
    /// `AccountInactive`; `Unavailable`.
    pub fn own_account(&self, caller: &Caller) -> Result<OwnAccount> {
        let user = self.user_of(caller)?;
        let (email, verified_at) = self.storage.email_and_proof(&user.id)?;
        let second_factor = self.second_factor_state(&user.id)?;
        Ok(OwnAccount { user, email, email_verified: verified_at.is_some(), second_factor })
    }

    pub(super) fn user_of(&self, caller: &Caller) -> Result<User> {
        let user = self.storage.find_user_by_id(&caller.user_id)?.filter(User::is_active);
        user.ok_or_else(|| Error::new(ErrorKind::AccountInactive, "the account is disabled"))
    }

    /// Asks for the password again, for what must not be done by whoever finds an open browser. Guesses count as those
    /// at the login do.
    pub(super) fn check_password_again(
        &self,
        caller: &Caller,
        user: &User,
        password: &PlainSecret,
    ) -> Result<()> {
        let attempt = Attempt::new(&self.attempt_policy, user.username.key(), caller.peer);
        let place = self.hasher.take_place()?;
        self.check_attempts(&attempt)?;
        if user.has_password() && place.verify(password, &user.password_hash)? {
            return Ok(());
        }
        Err(self.refuse_again(&attempt, user, "wrong password"))
    }

    /// Refuses, counts it, and writes it down.
    pub(super) fn refuse_again(&self, attempt: &Attempt, user: &User, cause: &str) -> Error {
        let event =
            Event::of(Action::PasswordAsked).by(Actor::User(user.id.clone())).user(&user.id).refused(cause);
        if let Err(error) = self.storage.note_failure(attempt, event, self.now()) {
            tracing::error!(%error, "a refusal is neither counted nor in the audit log");
        }
        Error::new(ErrorKind::InvalidCredentials, format!("account {}: {cause}", user.id))
    }
}
