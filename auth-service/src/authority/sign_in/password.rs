use crate::audit::Event;
use crate::authority::Authority;
use crate::authority::sign_in::second_factor::second_factor_required;
use crate::authority::sign_in::{FactorRefused, SignedIn, TOO_MANY_LOGINS, amr_of};
use crate::context::RequestContext;
use crate::error::{Error, ErrorKind, Result, SignInFault};
use crate::secret::PlainSecret;
use crate::users::{
    Attempt, LoginPermit, MAX_PASSWORD_BYTES, Origin, PresentedFactor, User, Username, is_ours, spelling_key,
};

/// What a user presents to log in.
pub struct PasswordCredentials {
    pub unverified_username: String,
    pub password: PlainSecret,
    /// For a user with a second factor: a one-time password, or a recovery code.
    pub otp: Option<PlainSecret>,
}

/// How far a right password leads.
pub(in crate::authority) enum Proof {
    Complete(Box<SignedIn>),
    /// The user has a second factor, which was not shown.
    NeedsFactor(Box<User>),
}

/// One login that is under way.
struct Login<'a> {
    credentials: &'a PasswordCredentials,
    context: &'a RequestContext,
    attempt: Attempt,
    /// What the audit log calls it; a refusal adds its cause.
    event: &'a Event,
}

/// A right password.
enum Checked {
    Complete(User, Option<PresentedFactor>),
    NeedsFactor(User),
}

impl Authority {
    /// Checks a username, its password and, where the user has one, the second factor. Attempts are counted and bounded
    /// before any of it is looked at. `event` is the entry of the audit log for a refusal, without its cause.
    ///
    /// # Errors
    /// `InvalidCredentials`, the same for an unknown username, a wrong password and a disabled user;
    /// `SecondFactorRequired`; `TooManyAttempts`, whatever the password is; `Overloaded`, `Unavailable`.
    pub(in crate::authority) fn sign_in_by_password(
        &self,
        credentials: &PasswordCredentials,
        context: &RequestContext,
        event: &Event,
    ) -> Result<SignedIn> {
        match self.prove_password(credentials, context, event)? {
            Proof::Complete(signed_in) => Ok(*signed_in),
            Proof::NeedsFactor(user) => Err(second_factor_required(&user)),
        }
    }

    /// The same, for a caller that asks for the second factor when it is needed.
    ///
    /// # Errors
    /// As [`Self::sign_in_by_password`], but for `SecondFactorRequired`.
    pub(in crate::authority) fn prove_password(
        &self,
        credentials: &PasswordCredentials,
        context: &RequestContext,
        event: &Event,
    ) -> Result<Proof> {
        let name_key = spelling_key(&credentials.unverified_username);
        let attempt =
            Attempt::new(&self.sign_in.count_key, &self.sign_in.attempt_policy, &name_key, context.client_ip);
        let login = Login { credentials, context, attempt, event };
        let (user, factor) = match self.check_credentials(&login)? {
            Checked::Complete(user, factor) => (user, factor),
            Checked::NeedsFactor(user) => return Ok(Proof::NeedsFactor(Box::new(user))),
        };
        Ok(Proof::Complete(Box::new(SignedIn {
            amr: amr_of(factor.as_ref()),
            auth_time: self.now(),
            rehashed: self.better_hash(&user, &credentials.password),
            known_network: login.attempt.known.clone(),
            attempt: Some(login.attempt),
            factor,
            user,
        })))
    }

    /// One hash is computed in any case, so that the time does not tell what was wrong.
    fn check_credentials(&self, login: &Login<'_>) -> Result<Checked> {
        let PasswordCredentials { unverified_username, password, otp } = login.credentials;
        if password.expose().len() > MAX_PASSWORD_BYTES {
            let cause = "the password is longer than any that could have been set";
            return Err(Error::new(SignInFault::InvalidCredentials, cause));
        }
        let slot = self.sign_in.hasher.acquire_slot(self.origin_of(login.attempt.known.as_deref()))?;
        let user = self.look_up(login)?;
        // Where nothing can fit, something that takes as long is tried all the same.
        let stored = user.as_ref().filter(|user| user.has_password()).map(|user| user.password_hash.clone());
        let (could_fit, stored) = match stored {
            Some(stored) => (true, stored),
            None => (false, self.sign_in.dummies.of(&spelling_key(unverified_username))),
        };
        let fits = slot.verify(password, &stored)? && could_fit;
        let refuse = |user_id, cause| Err(self.refuse_sign_in(login.context, login.event, user_id, cause));
        match user {
            Some(user) if fits && user.is_active() => {
                match self.check_second_factor(&user, otp.as_ref(), login.context) {
                    Ok(factor) => Ok(Checked::Complete(user, factor)),
                    Err(FactorRefused::Wrong) => refuse(Some(&user.id), "wrong one-time password"),
                    Err(FactorRefused::Failed(error)) => {
                        self.give_back(&login.attempt);
                        if error.kind != ErrorKind::SignIn(SignInFault::SecondFactorRequired) {
                            return Err(error);
                        }
                        self.note_missing_factor(login, &user.id)?;
                        Ok(Checked::NeedsFactor(user))
                    }
                }
            }
            Some(user) if fits => refuse(Some(&user.id), "the user is disabled"),
            Some(user) => refuse(Some(&user.id), "wrong password"),
            None => refuse(None, "no user has this name"),
        }
    }

    /// A hash as it would be computed today, of a password that fits one that was computed elsewhere or long ago. Without
    /// one the login goes on: the next login computes it.
    fn better_hash(&self, user: &User, password: &PlainSecret) -> Option<String> {
        if is_ours(&user.password_hash) {
            return None;
        }
        self.sign_in.hasher.hash(password).ok()
    }

    /// The user of a name, if there is one and it may be tried now.
    fn look_up(&self, login: &Login<'_>) -> Result<Option<User>> {
        let _permit = self.login_permit(login.attempt.known.as_deref())?;
        // Before the user is looked up: the time of a refusal must not tell whether the user exists.
        self.check_limit(&login.attempt, TOO_MANY_LOGINS, login.context, || self.limited_login(login))?;
        let Some(username) = Username::parse(&login.credentials.unverified_username) else { return Ok(None) };
        Ok(self.storage.find_user(&username)?)
    }

    /// The entry of a login that is refused unseen, of which there are few. It names the user, if there is one: what it says of
    /// them is erased with them.
    fn limited_login(&self, login: &Login<'_>) -> Event {
        let username = Username::parse(&login.credentials.unverified_username);
        let user = username.and_then(|username| self.storage.find_user(&username).ok().flatten());
        user.iter().fold(login.event.clone(), |event, user| event.user(&user.id))
    }

    /// Whether the user has logged in from there, as far as this replica remembers: asked before the database is.
    fn origin_of(&self, known_network: Option<&str>) -> Origin {
        match known_network.and_then(|known| self.sign_in.known_networks.get(known)) {
            Some(()) => Origin::Known,
            None => Origin::Unknown,
        }
    }

    /// The user and the network of a request together, as a login leaves them behind.
    pub(in crate::authority) fn known_network_of(
        &self,
        user: &User,
        context: &RequestContext,
    ) -> Option<String> {
        let (policy, name) = (&self.sign_in.attempt_policy, user.username.key());
        Attempt::new(&self.sign_in.count_key, policy, name, context.client_ip).known
    }

    /// A permit to use the database. A login from a known network needs none: there are no floods of those.
    pub(in crate::authority) fn login_permit(
        &self,
        known_network: Option<&str>,
    ) -> Result<Option<LoginPermit<'_>>> {
        if self.origin_of(known_network) == Origin::Known {
            return Ok(None);
        }
        let permit = self.sign_in.limiter.take();
        let busy = || Error::new(ErrorKind::Overloaded, "too many logins wait for the database");
        permit.map(Some).ok_or_else(busy)
    }

    /// A right password without a one-time password is worth an entry: the password may have been stolen.
    fn note_missing_factor(&self, login: &Login<'_>, user_id: &str) -> Result<()> {
        let cause = "right password, no one-time password";
        let event = login.event.clone().user(user_id).refused(cause);
        Ok(self.storage.on_behalf_of(login.context).note(event)?)
    }

    /// Refuses a login and writes it to the audit log; `Unavailable` where that fails, as for a right password.
    pub(in crate::authority) fn refuse_sign_in(
        &self,
        context: &RequestContext,
        event: &Event,
        user_id: Option<&str>,
        cause: &str,
    ) -> Error {
        // It is recorded without a permit, too.
        let _permit = self.sign_in.limiter.take();
        let event = user_id.iter().fold(event.clone(), |event, id| event.user(id)).refused(cause);
        if let Err(error) = self.storage.on_behalf_of(context).note(event) {
            return error.into();
        }
        let cause = user_id.map_or_else(|| cause.to_owned(), |id| format!("user {id}: {cause}"));
        Error::new(SignInFault::InvalidCredentials, cause)
    }
}
