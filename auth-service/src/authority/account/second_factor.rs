//! Time-based one-time passwords (RFC 6238), each good once, and recovery codes for when the device is gone.

use std::time::Duration;

use super::Caller;
use crate::authority::Authority;
use crate::authority::sign_in::TOO_MANY_LOGINS;
use crate::authority::sign_in::{FactorRefused, limited_by};
use crate::clock::Timestamp;
use crate::error::{AccountFault, Error, ErrorKind, Result};
use crate::secret::{HashedSecret, PlainSecret, random_bytes};
use crate::storage::Confirmed;
use crate::users::{Attempt, StoredFactor, User};

/// How long one code is shown, in seconds.
const STEP_SECONDS: u64 = 30;

/// How long a confirmation gets the same answer again.
const REPEATABLE: Duration = Duration::from_secs(120);

/// What an authenticator app is given.
pub struct NewSecondFactor {
    /// Base32, for typing in.
    pub secret: PlainSecret,
    /// `otpauth://`, for a QR code.
    pub uri: PlainSecret,
}

/// What an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondFactorState {
    pub confirmed: bool,
    pub recovery_codes: i64,
}

impl Authority {
    /// A secret for an app. It is asked for at logins once a first code has shown that the app has it.
    ///
    /// # Errors
    /// `InvalidCredentials`, `TooManyAttempts`; `Conflict` when there is one that is in use; `Unavailable`.
    pub fn begin_second_factor(&self, caller: &Caller, password: &PlainSecret) -> Result<NewSecondFactor> {
        let user = self.user_of(caller)?;
        self.check_password_again(caller, &user, password)?;
        let bytes = random_bytes::<20>()?;
        let totp = self.totp(&bytes, &user)?;
        let uri = totp.to_url().map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let sealed = self.sign_in.second_factors.seal(&user.id, &bytes);
        let sealed = sealed.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        if !self.storage.begin_second_factor(&user.id, sealed)? {
            return Err(Error::new(AccountFault::Conflict, "a second factor is in use: take it away first"));
        }
        Ok(NewSecondFactor {
            secret: PlainSecret::new(totp.secret().to_base32()),
            uri: PlainSecret::new(uri),
        })
    }

    /// Puts it to use, and hands out recovery codes, once.
    ///
    /// # Errors
    /// `InvalidCredentials` for a wrong code, `TooManyAttempts`; `Conflict` when none was begun; `Unavailable`.
    pub fn confirm_second_factor(&self, caller: &Caller, code: &PlainSecret) -> Result<Vec<PlainSecret>> {
        let user = self.user_of(caller)?;
        let attempt = Attempt::new(
            &self.sign_in.count_key,
            &self.sign_in.attempt_policy,
            user.username.key(),
            caller.context.client_ip,
        );
        self.check_limit(&attempt, TOO_MANY_LOGINS, &caller.context, || limited_by(&user.id))?;
        let none = || Error::new(AccountFault::Conflict, "no second factor was begun, or it is in use");
        let factor = self.storage.second_factor(&user.id)?.ok_or_else(none)?;
        if let Some(confirmed_at) = factor.confirmed_at {
            // The answer may have been lost on its way: the same code of the same user gets it again for a while.
            return self.repeated_confirmation(&user, &factor, confirmed_at, code).ok_or_else(none);
        }
        let Some(step) = self.matching_step(&user, &factor, code)? else {
            return Err(self.refuse_again(caller, "wrong one-time password"));
        };
        self.give_back(&attempt);
        let codes = self.sign_in.recovery_codes.of(&factor.sealed_secret);
        let now = self.now();
        let confirmed = Confirmed {
            step,
            now,
            codes: codes.iter().map(HashedSecret::of).collect(),
            keep_session: caller.session_id.clone(),
            revoked_until: self.revoked_until(now),
        };
        let storage = self.storage.on_behalf_of(&caller.context);
        let ended = storage.confirm_second_factor(&user.id, &factor, confirmed)?.ok_or_else(none)?;
        ended.revoked.iter().for_each(|target| self.apply_revocation(target, self.revoked_until(now)));
        self.tell_of_second_factor(&user, true);
        Ok(codes)
    }

    /// The recovery codes that were shown before, for the code that confirmed the factor, in the first two minutes. Any
    /// later code is one of a login, which may have been phished.
    fn repeated_confirmation(
        &self,
        user: &User,
        factor: &StoredFactor,
        confirmed_at: Timestamp,
        code: &PlainSecret,
    ) -> Option<Vec<PlainSecret>> {
        let latest_step = confirmed_at.seconds() / STEP_SECONDS + 1;
        if self.now().distance(confirmed_at) > REPEATABLE
            || factor.last_step > i64::try_from(latest_step).ok()?
        {
            return None;
        }
        let unspent = StoredFactor { last_step: factor.last_step - 1, ..factor.clone() };
        let step = self.matching_step(user, &unspent, code).ok().flatten();
        (step == Some(factor.last_step)).then(|| self.sign_in.recovery_codes.of(&factor.sealed_secret))
    }

    /// Takes it away.
    ///
    /// # Errors
    /// `InvalidCredentials`, `TooManyAttempts`; `SecondFactorRequired`; `Conflict` when there is none; `Unavailable`.
    pub fn remove_second_factor(
        &self,
        caller: &Caller,
        password: &PlainSecret,
        code: Option<&PlainSecret>,
    ) -> Result<()> {
        let user = self.user_of(caller)?;
        self.check_password_again(caller, &user, password)?;
        let wrong = || self.refuse_again(caller, "wrong one-time password");
        let shown = self.check_second_factor(&user, code, &caller.context).map_err(|cause| match cause {
            FactorRefused::Wrong => wrong(),
            FactorRefused::Failed(error) => error,
        })?;
        let none = || Error::new(AccountFault::Conflict, "there is no second factor");
        let storage = self.storage.on_behalf_of(&caller.context);
        if !storage.remove_own_second_factor(&user.id, shown.ok_or_else(none)?)? {
            return Err(wrong());
        }
        self.tell_of_second_factor(&user, false);
        Ok(())
    }

    /// # Errors
    /// `Unavailable`.
    pub fn second_factor_state(&self, user_id: &str) -> Result<SecondFactorState> {
        let confirmed =
            self.storage.second_factor(user_id)?.is_some_and(|factor| factor.confirmed_at.is_some());
        Ok(SecondFactorState { confirmed, recovery_codes: self.storage.recovery_codes_left(user_id)? })
    }

    fn tell_of_second_factor(&self, user: &User, on: bool) {
        if self.account.mailer.is_none() {
            return;
        }
        match self.storage.email_of(&user.id) {
            Ok(Some(email)) => {
                self.write_to_owner(self.writer().second_factor_has_changed(
                    &email,
                    user.username.as_str(),
                    on,
                ));
            }
            Ok(None) => {}
            Err(error) => Error::from(error).log(),
        }
    }
}
