use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

use super::output::{Output, secret_from_stdin};
use super::{Done, Failure};
use crate::authority::Authority;
use crate::error::Error;
use crate::secret::PlainSecret;
use crate::storage::StorageError;
use crate::users::{Attributes, PasswordRules, User, Username};

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user. Without --password-stdin the password is generated and shown once.
    Create {
        username: String,
        /// A role in the user's tokens. May be repeated.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Disable a user and end their sessions.
    Disable { username: String },
    /// Remove the second factor of a user who has lost it.
    RemoveSecondFactor { username: String },
    /// Set the password of a user and end the user's sessions.
    Passwd {
        username: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
}

impl UserCommand {
    pub fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { username, roles, password_stdin } => {
                create(authority, output, (&username, roles), password_stdin)
            }
            Self::Disable { username } => disable(authority, output, &username),
            Self::RemoveSecondFactor { username } => remove_second_factor(authority, output, &username),
            Self::Passwd { username, password_stdin } => passwd(authority, output, &username, password_stdin),
        }
    }
}

fn create(
    authority: &Authority,
    output: &Output,
    (username, roles): (&str, Vec<String>),
    from_stdin: bool,
) -> Done {
    let name = Username::new(username).map_err(|fault| Failure::Usage(fault.to_string()))?;
    if roles.iter().any(|role| role.is_empty() || role.contains(char::is_whitespace)) {
        return Err(Failure::Usage("a role has no spaces and is not empty".to_owned()));
    }
    let password = password(&authority.sign_in.password_rules, name.as_str(), from_stdin)?;
    let user = new_user(authority, &name, roles, &password)?;
    authority.storage.create_user(&user, authority.simplejwt.numbers_users()).map_err(
        |error| match error {
            StorageError::Taken => {
                Failure::Wrong(format!("another user is named {username}, or has a name that looks like it"))
            }
            other => other.into(),
        },
    )?;
    let mut document = json!({"username": name.as_str(), "id": user.id, "roles": user.attributes.roles});
    let mut text = format!("created the user {} ({})", name.as_str(), user.id);
    show_generated(from_stdin, &password, &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

fn disable(authority: &Authority, output: &Output, username: &str) -> Done {
    let now = authority.now();
    let ended = authority.storage.disable_user(&parse(username)?, now, authority.revoked_until(now))?;
    let ended = ended.ok_or_else(|| unknown(username))?;
    let document = json!({"username": username, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled {username}; {ended} session(s) ended"));
    Ok(())
}

fn remove_second_factor(authority: &Authority, output: &Output, username: &str) -> Done {
    let user = authority.storage.find_user(&parse(username)?)?.ok_or_else(|| unknown(username))?;
    let removed = authority.storage.remove_second_factor(&user.id)?;
    let document = json!({"username": username, "removed": removed});
    let what = if removed { "no longer has a second factor" } else { "had no second factor" };
    output.result(&document, &format!("{username} {what}"));
    Ok(())
}

fn passwd(authority: &Authority, output: &Output, username: &str, from_stdin: bool) -> Done {
    let name = parse(username)?;
    let password = password(&authority.sign_in.password_rules, name.as_str(), from_stdin)?;
    let hash = authority.sign_in.hasher.hash(&password).map_err(|error| error.to_string())?;
    let now = authority.now();
    let ended = authority.storage.set_password(&name, hash, (now, authority.revoked_until(now)))?;
    let ended = ended.ok_or_else(|| unknown(username))?;
    let mut document = json!({"username": username, "sessions_ended": ended});
    let mut text = format!("set the password of {username}; {ended} session(s) ended");
    show_generated(from_stdin, &password, &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

/// A new user with the password hashed.
pub(super) fn new_user(
    authority: &Authority,
    name: &Username,
    roles: Vec<String>,
    password: &PlainSecret,
) -> Result<User, Failure> {
    Ok(User {
        id: Uuid::new_v4().to_string(),
        username: name.clone(),
        password_hash: authority.sign_in.hasher.hash(password).map_err(|error| error.to_string())?,
        password_epoch: 0,
        attributes: Attributes::of_roles(roles),
        created_at: authority.now(),
        disabled_at: None,
    })
}

fn password(rules: &PasswordRules, username: &str, from_stdin: bool) -> Result<PlainSecret, Failure> {
    if !from_stdin {
        return Ok(PlainSecret::generate().map_err(Error::from)?);
    }
    let password = secret_from_stdin()?;
    rules.check(&password, &[username]).map_err(|fault| Failure::Usage(fault.message()))?;
    Ok(password)
}

fn show_generated(
    from_stdin: bool,
    password: &PlainSecret,
    document: &mut serde_json::Value,
    text: &mut String,
) {
    if !from_stdin {
        document["password"] = json!(password.expose());
        text.push_str(&format!("\npassword, shown once: {}", password.expose()));
    }
}

fn parse(username: &str) -> Result<Username, Failure> {
    Username::parse(username).ok_or_else(|| {
        Failure::Usage("a username has 1 to 150 characters and no control characters".to_owned())
    })
}

fn unknown(username: &str) -> Failure {
    Failure::Wrong(format!("user {username:?} not found"))
}
