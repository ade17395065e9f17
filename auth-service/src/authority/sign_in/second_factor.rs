//! Time-based one-time passwords (RFC 6238), each valid once, and recovery codes.

use std::time::Duration;

use totp_rs::{Builder, Totp};

use crate::authority::Authority;
use crate::authority::sign_in::limited_by;
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, SignInFault};
use crate::secret::{HashedSecret, PlainSecret};
use crate::users::{Attempt, AttemptPolicy, PresentedFactor, StoredFactor, User, normal_code};

/// Codes of one account, from wherever: so many at once, and then one each six minutes.
pub(in crate::authority) const ONE_TIME_PASSWORDS: AttemptPolicy = AttemptPolicy {
    realm: "one-time passwords",
    pair: 0,
    account: 10,
    client_ip: 0,
    window: Duration::from_secs(3600),
};

impl Authority {
    /// What an account has shown whose password is right; nothing when it has no second factor. It is spent by whatever
    /// is done with it. Codes have a count of their own: the limits of logins allow too many tries at six digits to
    /// anyone who has the password.
    pub(crate) fn check_second_factor(
        &self,
        user: &User,
        code: Option<&PlainSecret>,
        context: &RequestContext,
    ) -> std::result::Result<Option<PresentedFactor>, FactorRefused> {
        let factor = self.storage.second_factor(&user.id).map_err(Error::from)?;
        let Some(factor) = factor.filter(|factor| factor.confirmed_at.is_some()) else { return Ok(None) };
        let Some(code) = code else {
            return Err(second_factor_required(user).into());
        };
        let attempt = Attempt::new(&self.sign_in.count_key, &ONE_TIME_PASSWORDS, &user.id, None);
        // Before the code is looked at, right or wrong: many at one moment are as many.
        let cause = "too many one-time passwords were tried";
        self.check_limit(&attempt, cause, context, || limited_by(&user.id))?;
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
    pub(crate) fn matching_step(
        &self,
        user: &User,
        factor: &StoredFactor,
        code: &PlainSecret,
    ) -> Result<Option<i64>> {
        let unreadable = |_| Error::new(ErrorKind::Internal, "a second factor cannot be opened");
        let secret = self.sign_in.second_factors.open(&user.id, &factor.sealed_secret).map_err(unreadable)?;
        let digits: String = code.expose().chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let step = self.totp(&secret, user)?.check(&digits, self.now().seconds());
        Ok(step.and_then(|step| i64::try_from(step).ok()).filter(|step| *step > factor.last_step))
    }

    pub(crate) fn totp(&self, secret: &[u8], user: &User) -> Result<Totp> {
        let host = self.issuer.url.split("://").nth(1).unwrap_or(&self.issuer.url).replace(':', " ");
        let builder = Builder::new()
            .with_secret(secret)
            .with_account_name(user.username.as_str().replace(':', " "))
            .with_issuer(Some(host));
        builder.build().map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }
}

pub(super) fn second_factor_required(user: &User) -> Error {
    Error::new(
        SignInFault::SecondFactorRequired,
        format!("account {}: a one-time password is needed", user.id),
    )
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
