use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::mail_tokens::Kind;
use crate::audit::{Action, Event};
use crate::authority::Authority;
use crate::context::RequestContext;
use crate::error::{AccountFault, Error, Result, SignInFault};
use crate::secret::PlainSecret;
use crate::storage::StorageError;
use crate::users::Address;
use crate::users::{Attempt, AttemptPolicy, Attributes, Origin, User, Username};

/// Who wants an account.
pub struct Registration {
    pub unverified_username: String,
    pub unverified_email: String,
    pub password: PlainSecret,
    pub context: RequestContext,
}

/// An account that is made when its address is proved: until then there is none, and nothing to sweep.
#[derive(Serialize, Deserialize)]
struct Pending {
    username: String,
    email: String,
    password_hash: String,
}

/// Passwords that may be tried for one registration.
const CONFIRMATIONS: AttemptPolicy = AttemptPolicy {
    realm: "registration confirmations",
    pair: 0,
    account: 10,
    client_ip: 100,
    window: Duration::from_secs(3600),
};

impl Kind for Pending {
    const NAME: &'static str = "registration";
    const LIMIT_REALM: &'static str = "e-mails: registration";
    const TTL: Duration = Duration::from_secs(24 * 3600);
}

impl Authority {
    /// Writes an e-mail, whatever becomes of it. Whether the name or the address is taken is told there, to the one who
    /// owns the address; here every answer is the same and takes as long.
    ///
    /// # Errors
    /// `NotOffered`; `InvalidRequest`, `PasswordRefused`; `TooManyAttempts`; `Overloaded`, `Unavailable`.
    pub fn register(&self, registration: &Registration) -> Result<()> {
        let mailer = self.mailer()?;
        if !self.account.policy.registration {
            return Err(Error::new(AccountFault::NotOffered, "registration is switched off"));
        }
        let username = Username::new(&registration.unverified_username)
            .map_err(|fault| Error::invalid_request(fault.message()))?;
        let email = Address::parse(&registration.unverified_email)
            .ok_or_else(|| Error::invalid_request("`email` is no address"))?;
        let names = [username.as_str(), email.as_str()];
        self.sign_in.password_rules.check(&registration.password, &names)?;
        self.check_email_limit::<Pending>(&email, &registration.context)?;
        let password_hash = self.sign_in.hasher.hash(&registration.password)?;
        let owners = self.storage.find_users_by_email(&email.key())?;
        let writer = self.writer();
        let pending = Pending {
            username: username.as_str().to_owned(),
            email: email.as_str().to_owned(),
            password_hash,
        };
        let token = self.account.mail_tokens.seal(pending, self.now())?;
        let email = match owners.first() {
            // To the stored address: the typed one may have another spelling and belong to another user.
            Some((owner, address)) => writer.has_an_account(address, owner.username.as_str()),
            // Without the username: until the address is proved, every text in it is a stranger's.
            None => writer.registration(email.as_str(), &token),
        };
        mailer.send(Some(email))
    }

    /// Creates the user, for the user who registered: they know the password. Anyone who only owns the address, because
    /// another user typed it, must not make that user's account theirs by a click.
    ///
    /// # Errors
    /// `LinkInvalid`, also for one that was used; `InvalidCredentials`, `TooManyAttempts`; `Conflict` when the name is
    /// taken by now; `NotOffered` when registration is off by now; `Overloaded`, `Unavailable`.
    pub fn confirm_registration(
        &self,
        unverified_token: &str,
        password: &PlainSecret,
        context: &RequestContext,
    ) -> Result<()> {
        if !self.account.policy.registration {
            return Err(Error::new(AccountFault::NotOffered, "registration is switched off"));
        }
        let now = self.now();
        let pending: Pending = self.account.mail_tokens.open(unverified_token, now)?;
        let used = || Error::new(AccountFault::LinkInvalid, "the registration was used");
        let attempt =
            Attempt::new(&self.sign_in.count_key, &CONFIRMATIONS, &pending.email, context.client_ip);
        let place = self.sign_in.hasher.acquire_slot(Origin::Unknown)?;
        let cause = "too many passwords were tried for a registration";
        self.check_limit(&attempt, cause, context, || Event::of(Action::AttemptsLimited))?;
        if !place.verify(password, &pending.password_hash)? {
            return Err(Error::new(SignInFault::InvalidCredentials, "not the password of the registration"));
        }
        self.give_back(&attempt);
        let user = User {
            id: Uuid::new_v4().to_string(),
            username: Username::new(&pending.username).map_err(|_| used())?,
            password_hash: pending.password_hash,
            password_epoch: 0,
            attributes: Attributes {
                profile: json!({"username": pending.username, "email": pending.email}).to_string(),
                ..Attributes::default()
            },
            created_at: now,
            disabled_at: None,
        };
        let email = Address::parse(&pending.email).ok_or_else(used)?;
        let storage = self.storage.on_behalf_of(context);
        match storage.create_registered_user(&user, &email, self.simplejwt.numbers_users()) {
            Err(StorageError::Taken) if self.storage.has_email(&email.key())? => Err(used()),
            Err(StorageError::Taken) => Err(Error::new(AccountFault::Conflict, "the username is taken")),
            outcome => Ok(outcome?),
        }
    }
}
