mod changes;
mod create;
mod list;

use std::net::IpAddr;

use clap::{ArgGroup, Args, Subcommand};

use super::Done;
use super::list::ListArguments;
use super::output::Output;
use crate::authority::Authority;
use crate::users::ClientIp;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// List users by name.
    List {
        /// Only users whose names contain TEXT, in any spelling.
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
        /// Only disabled users.
        #[arg(long, conflicts_with = "enabled")]
        disabled: bool,
        /// Only enabled users.
        #[arg(long)]
        enabled: bool,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Show a user.
    Show { username: String },
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
    /// Change the name or the e-mail address of a user.
    Update(UserUpdate),
    /// Replace the roles of a user. Tokens get them at the next refresh or login.
    SetRoles {
        username: String,
        /// A role in the user's tokens. May be repeated.
        #[arg(long = "role", value_name = "ROLE", required_unless_present = "none")]
        roles: Vec<String>,
        /// Remove all roles.
        #[arg(long, conflicts_with = "roles")]
        none: bool,
    },
    /// Set the password of a user and end the user's sessions.
    Passwd {
        username: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove the second factor of a user who has lost it.
    RemoveSecondFactor { username: String },
    /// Delete the counts of a user's failed logins. Those from one network have a count of their own: name it with
    /// --client-ip.
    Unlock {
        username: String,
        /// Also delete the counts of the network of this address.
        #[arg(long, value_name = "ADDRESS")]
        client_ip: Option<IpAddr>,
    },
    /// Disable a user and end their sessions. Undo with `user enable`.
    Disable { username: String },
    /// Enable a user. Sessions and tokens from before stay revoked.
    Enable { username: String },
    /// Delete a user with everything that names them, and revoke their tokens. The audit log keeps the ID.
    Delete {
        username: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct UserUpdate {
    username: String,
    /// The new name.
    #[arg(long = "username", value_name = "NAME", group = "change")]
    new_username: Option<String>,
    /// The new e-mail address, which counts as verified.
    #[arg(long, value_name = "ADDRESS", group = "change")]
    email: Option<String>,
    /// Remove the e-mail address.
    #[arg(long, group = "change", conflicts_with = "email")]
    no_email: bool,
}

impl UserCommand {
    /// Whether it changes nothing.
    pub(super) fn only_reads(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. })
    }

    pub(super) fn run(self, authority: &Authority, output: &Output) -> Done {
        match self {
            Self::List { filter, disabled, enabled, list } => {
                let enabled = if disabled { Some(false) } else { enabled.then_some(true) };
                list::list(authority, output, filter, enabled, &list)
            }
            Self::Show { username } => list::show(authority, output, &username),
            Self::Create { username, roles, password_stdin } => {
                create::create(authority, output, &username, roles, password_stdin)
            }
            Self::Update(update) => changes::update(authority, output, update),
            Self::SetRoles { username, roles, .. } => changes::set_roles(authority, output, &username, roles),
            Self::Passwd { username, password_stdin } => {
                create::passwd(authority, output, &username, password_stdin)
            }
            Self::RemoveSecondFactor { username } => {
                changes::remove_second_factor(authority, output, &username)
            }
            Self::Unlock { username, client_ip } => {
                changes::unlock(authority, output, &username, client_ip.map(ClientIp::from))
            }
            Self::Disable { username } => changes::disable(authority, output, &username),
            Self::Enable { username } => changes::enable(authority, output, &username),
            Self::Delete { username, yes } => changes::delete(authority, output, &username, yes),
        }
    }
}
