use std::io::{self, Write};

use super::output::Output;
use super::{Done, Failure};
use crate::audit::Actor;
use crate::authority::Authority;
use crate::authority::admin::NewUser;
use crate::error::{AdminFault, Error, ErrorKind};
use crate::settings::Settings;
use crate::startup;

pub(super) fn run(settings: &Settings, output: &Output) -> Done {
    // First: what is counted before is lost.
    let recorded = service_kit::metrics::install()?;
    let authority = super::authority_as(settings, Actor::Authority)?;
    make_first_administrator(&authority, output)?;
    startup::serve(settings, &authority, recorded).map_err(Failure::Failed)
}

/// An empty database gets an administrator whose password is shown once. Standard output, not the
/// log: logs are kept and shipped.
fn make_first_administrator(authority: &Authority, output: &Output) -> Done {
    if authority.storage.has_users()? {
        return Ok(());
    }
    let new = NewUser { username: "admin", roles: vec!["admin".to_owned()], password: None };
    let generated = match authority.create_user(new) {
        Ok(created) => created.generated,
        // Another replica was first, and has shown its password.
        Err(Error { kind: ErrorKind::Admin(AdminFault::Taken), .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Some(password) = generated else { return Ok(()) };
    let document = serde_json::json!({"username": "admin", "password": password.expose()});
    let text = format!(
        "\n  First start: an administrator was made. This is shown once:\n\n    username: admin\n    password: {}\n\n  \
         Change it by: auth-service user passwd admin\n",
        password.expose()
    );
    output.result(&document, &text);
    io::stdout().flush().map_err(|error| Failure::Failed(format!("standard output: {error}")))
}
