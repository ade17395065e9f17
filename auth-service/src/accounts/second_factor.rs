//! Time-based one-time passwords (RFC 6238), each good once, and recovery codes for when the device is gone.

use std::time::Duration;

use aws_lc_rs::hmac;
use totp_rs::{Builder, Totp};

use super::{Caller, limited_by};
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::limited::TOO_MANY_LOGINS;
use crate::secret::{HashedSecret, PlainSecret, random_bytes};
use crate::storage::Confirmed;
use crate::users::{Attempt, AttemptPolicy, PresentedFactor, StoredFactor, User};

/// As many as are made at one time.
const RECOVERY_CODES: u8 = 10;

/// 32 characters that cannot be taken for each other (Crockford): 80 bits a code.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How long one code is shown, in seconds.
const STEP_SECONDS: u64 = 30;

/// How long a confirmation gets the same answer again.
const REPEATABLE: Duration = Duration::from_secs(120);

/// Codes of one account, from wherever: so many at once, and then one each six minutes.
const ONE_TIME_PASSWORDS: AttemptPolicy = AttemptPolicy {
    realm: "one-time passwords",
    pair: 0,
    account: 10,
    client_ip: 0,
    window: Duration::from_secs(3600),
};

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
        let sealed = self.second_factors.seal(&user.id, &bytes);
        let sealed = sealed.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        if !self.storage.begin_second_factor(&user.id, sealed)? {
            return Err(Error::new(ErrorKind::Conflict, "a second factor is in use: take it away first"));
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
        let attempt =
            Attempt::new(&self.count_key, &self.attempt_policy, user.username.key(), caller.client_ip);
        self.check_limit(&attempt, TOO_MANY_LOGINS, || limited_by(&user.id))?;
        let none = || Error::new(ErrorKind::Conflict, "no second factor was begun, or it is in use");
        let factor = self.storage.second_factor(&user.id)?.ok_or_else(none)?;
        if let Some(confirmed_at) = factor.confirmed_at {
            // The answer may have been lost on its way: the same code of the same user gets it again for a while.
            return self.repeated_confirmation((&user, &factor), confirmed_at, code).ok_or_else(none);
        }
        let Some(step) = self.matching_step(&user, &factor, code)? else {
            return Err(self.refuse_again(&user, "wrong one-time password"));
        };
        self.give_back(&attempt);
        let codes = self.recovery_codes.of(&factor.sealed_secret);
        let now = self.now();
        let confirmed = Confirmed {
            step,
            now,
            codes: codes.iter().map(HashedSecret::of).collect(),
            keep_session: caller.session_id.clone(),
            revoked_until: self.revoked_until(now),
        };
        let ended = self.storage.confirm_second_factor(&user.id, &factor, confirmed)?.ok_or_else(none)?;
        ended.revoked.iter().for_each(|target| self.apply_revocation(target, self.revoked_until(now)));
        self.tell_of_second_factor(&user, true);
        Ok(codes)
    }

    /// The recovery codes that were shown before, for the code that confirmed the factor, in the first two minutes. Any
    /// later code is one of a login, which may have been phished.
    fn repeated_confirmation(
        &self,
        (user, factor): (&User, &StoredFactor),
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
        (step == Some(factor.last_step)).then(|| self.recovery_codes.of(&factor.sealed_secret))
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
        let wrong = || self.refuse_again(&user, "wrong one-time password");
        let shown = self.check_second_factor(&user, code).map_err(|cause| match cause {
            FactorRefused::Wrong => wrong(),
            FactorRefused::Failed(error) => error,
        })?;
        let none = || Error::new(ErrorKind::Conflict, "there is no second factor");
        if !self.storage.remove_own_second_factor(&user.id, shown.ok_or_else(none)?)? {
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

    /// What an account has shown whose password is right; nothing when it has no second factor. It is spent by whatever
    /// is done with it. Codes have a count of their own: the limits of logins allow too many tries at six digits to
    /// anyone who has the password.
    pub(crate) fn check_second_factor(
        &self,
        user: &User,
        code: Option<&PlainSecret>,
    ) -> std::result::Result<Option<PresentedFactor>, FactorRefused> {
        let factor = self.storage.second_factor(&user.id).map_err(Error::from)?;
        let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(None) };
        let Some(code) = code else {
            let cause = format!("account {}: a one-time password is needed", user.id);
            return Err(Error::new(ErrorKind::SecondFactorRequired, cause).into());
        };
        let attempt = Attempt::new(&self.count_key, &ONE_TIME_PASSWORDS, &user.id, None);
        // Before the code is looked at, right or wrong: many at one moment are as many.
        self.check_limit(&attempt, "too many one-time passwords were tried", || limited_by(&user.id))?;
        if let Some(step) = self.matching_step(user, &factor, code)? {
            return Ok(Some(PresentedFactor::Step(step)));
        }
        let code = HashedSecret::of(&normal_code(code));
        if self.storage.has_recovery_code(&user.id, &code).map_err(Error::from)? {
            return Ok(Some(PresentedFactor::RecoveryCode(code)));
        }
        Err(FactorRefused::Wrong)
    }

    /// One that was not spent.
    fn matching_step(&self, user: &User, factor: &StoredFactor, code: &PlainSecret) -> Result<Option<i64>> {
        let unreadable = |_| Error::new(ErrorKind::Internal, "a second factor cannot be opened");
        let secret = self.second_factors.open(&user.id, &factor.sealed_secret).map_err(unreadable)?;
        let digits: String = code.expose().chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let step = self.totp(&secret, user)?.check(&digits, self.now().seconds());
        Ok(step.and_then(|step| i64::try_from(step).ok()).filter(|step| *step > factor.last_step))
    }

    fn totp(&self, secret: &[u8], user: &User) -> Result<Totp> {
        let host = self.issuer.split("://").nth(1).unwrap_or(&self.issuer).replace(':', " ");
        let builder = Builder::new()
            .with_secret(secret)
            .with_account_name(user.username.as_str().replace(':', " "))
            .with_issuer(Some(host));
        builder.build().map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    fn tell_of_second_factor(&self, user: &User, on: bool) {
        if self.mailer.is_none() {
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

/// Why a second factor was not taken.
pub(crate) enum FactorRefused {
    /// A guess, to be counted.
    Wrong,
    Failed(Error),
}

impl From<Error> for FactorRefused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Derives the recovery codes of a second factor: they can be shown again, and no database holds them.
pub struct RecoveryCodes(hmac::Key);

impl RecoveryCodes {
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Those of a factor, by its sealed secret: each set-up has another one.
    fn of(&self, sealed_secret: &[u8]) -> Vec<PlainSecret> {
        let code = |number: u8| {
            let tag = hmac::sign(&self.0, &[&[number], sealed_secret].concat());
            let letters = tag.as_ref()[..16].iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
            PlainSecret::new(letters.collect())
        };
        (0..RECOVERY_CODES).map(code).collect()
    }
}

/// As it was made, however it was typed.
fn normal_code(code: &PlainSecret) -> PlainSecret {
    let letters = code.expose().chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase());
    PlainSecret::new(
        letters
            .map(|c| match c {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_codes_are_80_bits_that_nobody_mistypes() {
        let codes = RecoveryCodes::new(&[7; 32]).of(b"sealed");
        assert_eq!(codes.len(), 10);
        let texts =
            |codes: &[PlainSecret]| codes.iter().map(|code| code.expose().to_owned()).collect::<Vec<_>>();
        assert_eq!(texts(&codes), texts(&RecoveryCodes::new(&[7; 32]).of(b"sealed")), "the same again");
        let others =
            [RecoveryCodes::new(&[8; 32]).of(b"sealed"), RecoveryCodes::new(&[7; 32]).of(b"another")];
        let mut all: Vec<String> = others.iter().chain([&codes]).flat_map(|codes| texts(codes)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 30);
        assert!(
            codes
                .iter()
                .all(|code| code.expose().len() == 16 && !code.expose().contains(['i', 'l', 'o', 'u']))
        );
        let typed = PlainSecret::new(" OIL0-abcd ".to_owned());
        assert_eq!(normal_code(&typed).expose(), "0110abcd");
    }
}
