//! The database and the master key of a start: what is made at the first one, and what ends one.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::Result;
use crate::keys::{MasterKey, Secrets};
use crate::settings::Settings;
use crate::storage::{DatabaseUrl, Storage, StorageError};

/// What becomes of a database or a master key that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Create,
    /// It is an error.
    Existing,
}

/// The database with a schema that fits, or what is wrong with it.
///
/// # Errors
/// One line that names the database without its password.
pub(super) fn open_storage(settings: &Settings, opening: Opening) -> Result<Storage> {
    let url = database_url(settings)?;
    if let (Opening::Existing, DatabaseUrl::Sqlite(path)) = (opening, &url)
        && !path.exists()
    {
        return Err(format!(
            "there is no database here: {} does not exist (setting database.url). The first start creates it; --config or \
             AUTH__DATABASE__URL names another",
            path.display()
        ));
    }
    if settings.database.migrate && opening == Opening::Create {
        migrate(&url)?;
    } else {
        let pending = Storage::pending_migrations(&url).map_err(|error| format!("{url}: {error}"))?;
        if !pending.is_empty() {
            let missing = pending.join(", ");
            return Err(format!("{url}: the schema is missing {missing}: run `auth-service migrate`"));
        }
    }
    Storage::connect(&url, settings.database.pool_size).map_err(|error| format!("{url}: {error}"))
}

/// Brings the schema up to date.
///
/// # Errors
/// One line that names the database without its password.
pub fn migrate(url: &DatabaseUrl) -> Result<Vec<String>> {
    if let Some(folder) = url.folder() {
        make_default_folder(folder)?;
    }
    Storage::migrate(url).map_err(|error| format!("{url}: {error}"))
}

/// # Errors
/// What is wrong with the setting.
pub fn database_url(settings: &Settings) -> Result<DatabaseUrl> {
    DatabaseUrl::parse(&settings.database.url).map_err(|error| format!("database.url {error}"))
}

/// `./data` is made; any other folder is the operator's, and a mistyped path must not make one.
fn make_default_folder(folder: &Path) -> Result<()> {
    if folder == Path::new("data") {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        return made.map_err(|error| format!("{}: {error}", folder.display()));
    }
    if folder.is_dir() { Ok(()) } else { Err(format!("the folder {} does not exist", folder.display())) }
}

/// Made only where nothing was ever sealed: a lost key must not be replaced silently.
pub(super) fn open_master_key(path: &Path, storage: &Storage, opening: Opening) -> Result<MasterKey> {
    let read = || MasterKey::read(path).map_err(|error| format!("master key: {error}"));
    if let Some(key) = read()? {
        return Ok(key);
    }
    let sealed = storage.all_keys().map_err(|error: StorageError| error.to_string())?;
    if !sealed.is_empty() {
        // A replica that starts at this moment may have made both since the file was looked for.
        if let Some(key) = read()? {
            return Ok(key);
        }
        return Err(format!(
            "master key: {} does not exist, and the database holds keys that only it can open: restore it",
            path.display()
        ));
    }
    if opening == Opening::Existing {
        return Err(format!(
            "there is no master key here: {} does not exist (setting keys.master_key_file)",
            path.display()
        ));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_default_folder(folder)?;
    }
    MasterKey::create(path).map_err(|error| format!("master key: {error}"))
}

/// # Errors
/// One line: another master key is needed.
pub fn open_secrets(master: &MasterKey, path: &Path, storage: &Storage) -> Result<Secrets> {
    let stored = storage.sealed_secrets().map_err(|error| error.to_string())?;
    Secrets::open(master, &stored).map_err(|error| {
        format!(
            "master key: the secrets in the database {error}: was it changed, and is {} the old one?",
            path.display()
        )
    })
}
