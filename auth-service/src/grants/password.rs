use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use shared_claims::ScopeSet;
use uuid::{NoContext, Uuid};

use crate::accounts::FactorRefused;
use crate::audit::{Action, Actor, Event};
use crate::authority::Authority;
use crate::clients::{Client, GrantType};
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::limited::TOO_MANY_LOGINS;
use crate::metrics;
use crate::secret::PlainSecret;
use crate::sessions::Session;
use crate::storage::{Login, SessionLimit, Start};
use crate::tokens::{Draft, IssuedTokens};
use crate::users::PresentedFactor;
use crate::users::{
    Attempt, ClientIp, LoginPermit, MAX_PASSWORD_BYTES, Origin, User, Username, is_ours, spelling_key,
};

/// A user's name and password, brought by a first-party client.
pub struct PasswordLogin {
    pub client: Arc<Client>,
    pub unverified_username: String,
    pub password: PlainSecret,
    /// For an account with a second factor: a one-time password, or a recovery code.
    pub otp: Option<PlainSecret>,
    /// Where it comes from, as far as that can be known.
    pub client_ip: Option<ClientIp>,
    /// The user agent, as it calls itself.
    pub unverified_device: Option<String>,
    pub scope: Option<String>,
    pub audience: Option<String>,
}

/// A session that has begun.
pub(super) struct Started {
    pub session: Session,
    pub user: User,
    /// Claims that are made for them.
    pub custom: Map<String, Value>,
}

/// What a session may do, and how long.
struct Terms {
    scope: ScopeSet,
    audience: String,
    /// Ends it unless it is refreshed before.
    idle: Duration,
    longest: Duration,
}

impl Authority {
    /// Starts a session and hands out its first pair: simplejwt's `/api/token/` and
    /// `TokenService.ObtainPair`.
    ///
    /// # Errors
    /// `InvalidCredentials`, the same for an unknown name, a wrong password and a disabled account;
    /// `TooManyAttempts`, whatever the password is; `unauthorized_client`, `invalid_scope`, `invalid_target`;
    /// `Overloaded`, `Unavailable`.
    pub fn obtain_pair(&self, login: &PasswordLogin) -> Result<IssuedTokens> {
        let outcome =
            self.start_session(login, (self.policy.refresh_idle_ttl, self.policy.refresh_absolute_ttl));
        metrics::login(login_outcome(&outcome));
        let Started { session, user, custom } = outcome?;
        let draft = Draft::for_user((&session, &user.attributes), &session.scope, custom);
        let access_token = self.mint_access_token(&draft, session.created_at)?;
        metrics::issued(GrantType::Password.as_str());
        Ok(IssuedTokens {
            access_token,
            expires_in: self.policy.access_ttl.as_secs(),
            scope: session.scope.to_string(),
            refresh_token: Some(self.mint_refresh_token(&session, &user.attributes)),
        })
    }

    /// A session for anyone who proves to be the account's owner.
    pub(super) fn start_session(
        &self,
        login: &PasswordLogin,
        (idle, longest): (Duration, Duration),
    ) -> Result<Started> {
        login.client.check_grant(GrantType::Password)?;
        let scope = login.client.narrow_scope(login.scope.as_deref())?;
        let audience = login.client.choose_audience(login.audience.as_deref())?;
        let name_key = spelling_key(&login.unverified_username);
        let attempt = Attempt::new(&self.count_key, &self.attempt_policy, &name_key, login.client_ip);
        let (user, factor) = self.authenticate_user(login, &attempt)?;
        let terms = Terms { scope, audience, idle, longest };
        let begun = self.begin_session(login, (user, factor), terms, &attempt);
        if let Err(error) = &begun
            && error.kind != ErrorKind::InvalidCredentials
            && self.webhook.is_none()
        {
            // The password was right.
            self.give_back(&attempt);
        }
        begun
    }

    /// For a user who has proved to be one.
    fn begin_session(
        &self,
        login: &PasswordLogin,
        (user, factor): (User, Option<PresentedFactor>),
        terms: Terms,
        attempt: &Attempt,
    ) -> Result<Started> {
        let Terms { scope, audience, idle, longest } = terms;
        if self.webhook.is_some() {
            // The password was right; a service that takes its time must not fill the counts with those who wait for it.
            self.give_back(attempt);
        }
        // Before there is a session: without its claims there is no token.
        let custom = self.simplejwt.claims.of(&user.attributes, self.ask_webhook(&user)?)?;
        let now = self.now();
        let session = Session {
            id: session_id(now),
            user_id: user.id.clone(),
            client_id: login.client.id.clone(),
            scope,
            audience,
            auth_time: now,
            amr: if factor.is_some() { words(&["pwd", "otp", "mfa"]) } else { words(&["pwd"]) },
            created_at: now,
            idle_expires_at: now.plus(idle.min(longest) + self.simplejwt.leeway),
            expires_at: now.plus(longest + self.simplejwt.leeway),
            generation: 0,
            rotated_at: now,
            ended: None,
            device: login.unverified_device.as_deref().and_then(device),
        };
        let known = attempt.known.clone();
        let rehashed = self.better_hash(&user, &login.password);
        let limit = Some(self.session_limit(now));
        let left = Login {
            rehashed,
            known,
            factor,
            limit,
            attempt: self.webhook.is_none().then(|| attempt.clone()),
        };
        let permit = self.login_permit(attempt)?;
        let started = self.storage.start_session(&session, &user, left)?;
        drop(permit);
        let cause = match started {
            Start::Done => {
                if let Some(known) = &attempt.known {
                    self.known_networks.insert(known.clone(), ());
                }
                return Ok(Started { session, user, custom });
            }
            Start::AccountChanged => "the account was disabled or its password changed during the login",
            Start::FactorSpent => "the one-time password was spent by another login at the same moment",
        };
        Err(self.refuse_login(login, Some(&user.id), cause))
    }

    pub(super) fn session_limit(&self, now: Timestamp) -> SessionLimit {
        SessionLimit { most: self.policy.max_sessions, revoked_until: self.revoked_until(now) }
    }

    /// One hash is computed in any case, so that the time does not tell what was wrong. Says what was
    /// shown as a second factor.
    fn authenticate_user(
        &self,
        login: &PasswordLogin,
        attempt: &Attempt,
    ) -> Result<(User, Option<PresentedFactor>)> {
        let (unverified_username, password) = (login.unverified_username.as_str(), &login.password);
        if password.expose().len() > MAX_PASSWORD_BYTES {
            return Err(refused("the password is longer than any that could have been set"));
        }
        let place = self.hasher.acquire_slot(self.origin_of(attempt))?;
        let user = self.look_up(login, attempt)?;
        // Where nothing can fit, something that takes as long is tried all the same.
        let stored = user.as_ref().filter(|user| user.has_password()).map(|user| user.password_hash.clone());
        let (could_fit, stored) = match stored {
            Some(stored) => (true, stored),
            None => (false, self.dummies.of(&spelling_key(unverified_username))),
        };
        let fits = place.verify(password, &stored)? && could_fit;
        match user {
            Some(user) if fits && user.is_active() => {
                match self.check_second_factor(&user, login.otp.as_ref()) {
                    Ok(shown) => Ok((user, shown)),
                    Err(FactorRefused::Failed(error)) => {
                        self.give_back(attempt);
                        self.note_missing_factor(login, &user.id, &error)?;
                        Err(error)
                    }
                    Err(FactorRefused::Wrong) => {
                        Err(self.refuse_login(login, Some(&user.id), "wrong one-time password"))
                    }
                }
            }
            Some(user) if fits => Err(self.refuse_login(login, Some(&user.id), "the account is disabled")),
            Some(user) => Err(self.refuse_login(login, Some(&user.id), "wrong password")),
            None => Err(self.refuse_login(login, None, "no account has this name")),
        }
    }

    /// A hash as it would be made today, of a password that fits one which was made elsewhere or long ago. Without one
    /// the login goes on: there is another one to come.
    fn better_hash(&self, user: &User, password: &PlainSecret) -> Option<String> {
        if is_ours(&user.password_hash) {
            return None;
        }
        self.hasher.hash(password).ok()
    }

    /// The user of a name, if there is one and it may be tried now.
    fn look_up(&self, login: &PasswordLogin, attempt: &Attempt) -> Result<Option<User>> {
        let _permit = self.login_permit(attempt)?;
        // Before the user is looked up: the time of a refusal must not tell whether the user exists.
        self.check_limit(attempt, TOO_MANY_LOGINS, || login_event(login, None))?;
        let Some(username) = Username::parse(&login.unverified_username) else { return Ok(None) };
        Ok(self.storage.find_user(&username)?)
    }

    /// Whether the user has logged in from there, as far as this replica remembers: asked before the database is.
    fn origin_of(&self, attempt: &Attempt) -> Origin {
        match attempt.known.as_ref().and_then(|known| self.known_networks.get(known)) {
            Some(()) => Origin::Known,
            None => Origin::Unknown,
        }
    }

    /// A permit to use the database. A login from a known network needs none: there are no floods of those.
    fn login_permit(&self, attempt: &Attempt) -> Result<Option<LoginPermit<'_>>> {
        if self.origin_of(attempt) == Origin::Known {
            return Ok(None);
        }
        let permit = self.login_limiter.take();
        let permit =
            permit.ok_or_else(|| Error::new(ErrorKind::Overloaded, "too many logins wait for the database"));
        permit.map(Some)
    }

    /// Reverts the count of an attempt that did not fail. If that cannot be written, it expires soon.
    pub(crate) fn give_back(&self, attempt: &Attempt) {
        if let Err(error) = self.storage.give_back(attempt) {
            tracing::warn!(%error, "a login that did not fail stays counted as a failure");
        }
    }

    /// A right password without a one-time password is worth knowing of: the password may have been stolen.
    fn note_missing_factor(&self, login: &PasswordLogin, user_id: &str, error: &Error) -> Result<()> {
        if error.kind != ErrorKind::SecondFactorRequired {
            return Ok(());
        }
        let cause = "right password, no one-time password";
        Ok(self.storage.note_refusal(refused_login(login, Some(user_id), cause))?)
    }

    /// Refuses, and writes it down; what cannot be written down is `Unavailable`, as a right password would be.
    fn refuse_login(&self, login: &PasswordLogin, user_id: Option<&str>, cause: &str) -> Error {
        // It is recorded without a permit, too.
        let _permit = self.login_limiter.take();
        if let Err(error) = self.storage.note_refusal(refused_login(login, user_id, cause)) {
            return error.into();
        }
        refused(&user_id.map_or_else(|| cause.to_owned(), |id| format!("account {id}: {cause}")))
    }
}

/// As the metrics name it.
pub(super) fn login_outcome<T>(outcome: &Result<T>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(Error { kind: ErrorKind::TooManyAttempts(_), .. }) => "limited",
        Err(Error { kind: ErrorKind::Overloaded, .. }) => "overloaded",
        Err(Error { kind: ErrorKind::Unavailable, .. }) => "unavailable",
        Err(Error { kind: ErrorKind::Internal, .. }) => "failed",
        Err(_) => "refused",
    }
}

fn refused_login(login: &PasswordLogin, user_id: Option<&str>, cause: &str) -> Event {
    login_event(login, user_id).refused(cause)
}

fn login_event(login: &PasswordLogin, user_id: Option<&str>) -> Event {
    let client = &login.client.id;
    let event = Event::of(Action::Login).client(client.as_str()).by(Actor::Client(client.clone()));
    match user_id {
        Some(id) => event.user(id),
        None => event,
    }
}

fn refused(cause: &str) -> Error {
    Error::new(ErrorKind::InvalidCredentials, cause)
}

/// Authentication methods (RFC 8176 section 2).
fn words(methods: &[&str]) -> Vec<String> {
    methods.iter().map(|method| (*method).to_owned()).collect()
}

/// Longest name of a device that is kept, in characters.
const DEVICE_CHARACTERS: usize = 150;

/// What a device may be called in a list: no control characters, and not without end.
fn device(unverified: &str) -> Option<String> {
    let text: String = unverified.chars().filter(|c| !c.is_control()).take(DEVICE_CHARACTERS).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Ordered by time, so that new rows go to one end of the index.
fn session_id(now: Timestamp) -> String {
    let within_second = u32::try_from(now.0.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, now.seconds(), within_second)).to_string()
}
