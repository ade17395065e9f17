//! An empty database gets an administrator. Their password never reaches a log or the standard output, which are kept and
//! shipped: it is in a file that only the own user can read.

use std::path::{Path, PathBuf};

use service_kit::secret_file;

use super::Result;
use crate::authority::Authority;
use crate::authority::admin::NewUser;
use crate::error::{AdminFault, ErrorKind};
use crate::secret::PlainSecret;
use crate::settings::Settings;
use crate::users::{Origin, Username};

const USERNAME: &str = "admin";
const ROLE: &str = "admin";
const FILE_NAME: &str = "initial-admin-password";

/// Creates the administrator if there has never been a user.
///
/// # Errors
/// One line: a password that cannot be read, or that violates a rule.
pub fn create_first_administrator(settings: &Settings, authority: &Authority) -> Result<()> {
    if authority.storage.has_had_users().map_err(|error| error.to_string())? {
        return Ok(());
    }
    if let Some(file) = &settings.bootstrap.admin_password_file {
        let password = given(file)?;
        return create(authority, &password, file).map(drop);
    }
    let file = initial_password_file(settings);
    let (password, is_new) = match generated(&file) {
        Ok(password) => password,
        Err(cause) => {
            tracing::warn!(
                cause,
                "no administrator was created: set bootstrap.admin_password_file, or run \
                 `auth-service user create {USERNAME} --role {ROLE}`"
            );
            return Ok(());
        }
    };
    // Another replica was first: with this file, if it shares the folder, or with a password of its own.
    if !create(authority, &password, &file)? && is_new && !is_password_of_administrator(authority, &password)?
    {
        std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// Where a generated password is written.
#[must_use]
pub fn initial_password_file(settings: &Settings) -> PathBuf {
    settings.keys.master_key_file.with_file_name(FILE_NAME)
}

fn is_password_of_administrator(authority: &Authority, password: &PlainSecret) -> Result<bool> {
    let Some(username) = Username::parse(USERNAME) else { return Ok(false) };
    let user = authority.storage.find_user(&username).map_err(|error| error.to_string())?;
    let Some(user) = user else { return Ok(false) };
    let slot = authority.sign_in.hasher.acquire_slot(Origin::Known);
    let verified = slot.and_then(|slot| slot.verify(password, &user.password_hash));
    verified.map_err(|error| error.to_string())
}

/// Whether they were created here, and not by another replica at the same time.
fn create(authority: &Authority, password: &PlainSecret, file: &Path) -> Result<bool> {
    let password = PlainSecret::new(password.expose().to_owned());
    let new = NewUser { username: USERNAME, roles: vec![ROLE.to_owned()], password: Some(password) };
    match authority.create_user(new) {
        Ok(_) => {
            tracing::info!(
                username = USERNAME,
                password_file = %file.display(),
                "created the first administrator: change the password with `auth-service user passwd {USERNAME}` and \
                 delete the file"
            );
            Ok(true)
        }
        Err(error) if error.kind == ErrorKind::Admin(AdminFault::Taken) => Ok(false),
        Err(error) => Err(format!("{}: {}", file.display(), error.cause)),
    }
}

fn given(file: &Path) -> Result<PlainSecret> {
    let failed = |cause: String| format!("bootstrap.admin_password_file {}: {cause}", file.display());
    let content =
        secret_file::read(file).map_err(failed)?.ok_or_else(|| failed("does not exist".to_owned()))?;
    let text = String::from_utf8(content).map_err(|_| failed("is not UTF-8".to_owned()))?;
    Ok(PlainSecret::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// The password in the file, and whether it was written now. An existing file is one of a start that ended before the
/// administrator was created, or of a replica that starts at the same time.
fn generated(file: &Path) -> Result<(PlainSecret, bool)> {
    let failed = |cause: String| format!("{}: {cause}", file.display());
    let password = PlainSecret::generate().map_err(|error| error.to_string())?;
    let is_new = secret_file::create(file, format!("{}\n", password.expose()).as_bytes())
        .map_err(|error| failed(error.to_string()))?;
    let password = if is_new { password } else { given(file)? };
    Ok((password, is_new))
}
