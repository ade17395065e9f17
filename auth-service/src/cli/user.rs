use clap::Subcommand;
use serde_json::{Value, json};

use super::output::{Output, secret_from_stdin};
use super::{Done, Failure};
use crate::authority::Authority;
use crate::authority::admin::{NewUser, PasswordSet, UserCreated};
use crate::secret::PlainSecret;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
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
    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::Create { username, roles, password_stdin } => {
                let new = NewUser { username: &username, roles, password: password(password_stdin)? };
                create(authority, output, new)
            }
            Self::Disable { username } => disable(authority, output, &username),
            Self::RemoveSecondFactor { username } => remove_second_factor(authority, output, &username),
            Self::Passwd { username, password_stdin } => {
                passwd(authority, output, &username, password(password_stdin)?)
            }
        }
    }
}

fn create(authority: &Authority, output: &Output, new: NewUser<'_>) -> Done {
    let UserCreated { user, generated } = authority.create_user(new)?;
    let name = user.username.as_str();
    let mut document = json!({"username": name, "id": user.id, "roles": user.attributes.roles});
    let mut text = format!("created the user {name} ({})", user.id);
    show_generated(generated.as_ref(), &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

fn disable(authority: &Authority, output: &Output, username: &str) -> Done {
    let ended = authority.disable_user(username)?;
    let document = json!({"username": username, "disabled": true, "sessions_ended": ended});
    output.result(&document, &format!("disabled {username}; {ended} session(s) ended"));
    Ok(())
}

fn remove_second_factor(authority: &Authority, output: &Output, username: &str) -> Done {
    let removed = authority.remove_user_second_factor(username)?;
    let document = json!({"username": username, "removed": removed});
    let what = if removed { "no longer has a second factor" } else { "had no second factor" };
    output.result(&document, &format!("{username} {what}"));
    Ok(())
}

fn passwd(authority: &Authority, output: &Output, username: &str, given: Option<PlainSecret>) -> Done {
    let PasswordSet { sessions_ended, generated } = authority.set_user_password(username, given)?;
    let mut document = json!({"username": username, "sessions_ended": sessions_ended});
    let mut text = format!("set the password of {username}; {sessions_ended} session(s) ended");
    show_generated(generated.as_ref(), &mut document, &mut text);
    output.result(&document, &text);
    Ok(())
}

fn password(from_stdin: bool) -> Result<Option<PlainSecret>, Failure> {
    Ok(from_stdin.then(secret_from_stdin).transpose()?)
}

fn show_generated(generated: Option<&PlainSecret>, document: &mut Value, text: &mut String) {
    if let Some(password) = generated {
        document["password"] = json!(password.expose());
        text.push_str(&format!("\npassword, shown once: {}", password.expose()));
    }
}
