use uuid::Uuid;

use super::{invalid, not_found, unless_taken};
use crate::authority::Authority;
use crate::error::Result;
use crate::secret::PlainSecret;
use crate::users::{Attributes, User, Username};

/// A user that an operator creates.
#[derive(Debug)]
pub struct NewUser<'a> {
    pub username: &'a str,
    pub roles: Vec<String>,
    /// `None` for a generated one.
    pub password: Option<PlainSecret>,
}

/// A user that was created.
#[derive(Debug)]
pub struct UserCreated {
    pub user: User,
    /// The password, if it was generated: shown once.
    pub generated: Option<PlainSecret>,
}

/// A password that was set.
#[derive(Debug)]
pub struct PasswordSet {
    pub sessions_ended: usize,
    /// The password, if it was generated: shown once.
    pub generated: Option<PlainSecret>,
}

/// A password, and whether it is to be shown.
struct ChosenPassword {
    password: PlainSecret,
    generated: bool,
}

impl ChosenPassword {
    fn shown(self) -> Option<PlainSecret> {
        self.generated.then_some(self.password)
    }
}

impl Authority {
    /// Creates a user.
    ///
    /// # Errors
    /// `Admin(Invalid)` for a name, a role or a password that violates a rule; `Admin(Taken)`; `Unavailable`.
    pub fn create_user(&self, new: NewUser<'_>) -> Result<UserCreated> {
        let username = Username::new(new.username).map_err(|fault| invalid(fault.to_string()))?;
        check_roles(&new.roles)?;
        let chosen = self.choose_password(&username, new.password)?;
        let user = User {
            id: Uuid::new_v4().to_string(),
            password_hash: self.sign_in.hasher.hash(&chosen.password)?,
            username,
            password_epoch: 0,
            attributes: Attributes::of_roles(new.roles),
            created_at: self.now(),
            disabled_at: None,
        };
        let created = self.storage.create_user(&user, self.simplejwt.numbers_users());
        let username = user.username.as_str();
        let taken = || format!("another user is named {username}, or has a name that looks like it");
        created.map_err(|error| unless_taken(error, taken))?;
        Ok(UserCreated { user, generated: chosen.shown() })
    }

    /// Sets the password of a user, a generated one if none is given, and ends the sessions that the old one started.
    ///
    /// # Errors
    /// `Admin(Invalid)` for a password that violates a rule; `Admin(NotFound)`; `Overloaded`; `Unavailable`.
    pub fn set_user_password(&self, username: &str, password: Option<PlainSecret>) -> Result<PasswordSet> {
        let name = parse(username)?;
        let chosen = self.choose_password(&name, password)?;
        let hash = self.sign_in.hasher.hash(&chosen.password)?;
        let now = self.now();
        let ended = self.storage.set_password(&name, hash, now, self.revoked_until(now))?;
        let sessions_ended = ended.ok_or_else(|| not_found("user", username))?;
        Ok(PasswordSet { sessions_ended, generated: chosen.shown() })
    }

    fn choose_password(&self, username: &Username, given: Option<PlainSecret>) -> Result<ChosenPassword> {
        let Some(password) = given else {
            return Ok(ChosenPassword { password: PlainSecret::generate()?, generated: true });
        };
        let checked = self.sign_in.password_rules.check(&password, &[username.as_str()]);
        checked.map_err(|fault| invalid(fault.message()))?;
        Ok(ChosenPassword { password, generated: false })
    }
}

pub(super) fn parse(username: &str) -> Result<Username> {
    Username::parse(username)
        .ok_or_else(|| invalid("a username has 1 to 150 characters and no control characters"))
}

/// # Errors
/// `Admin(Invalid)`.
pub(super) fn check_roles<'a>(roles: impl IntoIterator<Item = &'a String>) -> Result<()> {
    match roles.into_iter().any(|role| role.is_empty() || role.contains(char::is_whitespace)) {
        true => Err(invalid("a role has no spaces and is not empty")),
        false => Ok(()),
    }
}
