use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use service_kit::secret_file;
use zeroize::Zeroizing;

use super::{MASTER_KEY, Manifest, Result, at};
use crate::keys::MasterKey;
use crate::storage::{DatabaseUrl, check_unused, replace_database};

/// What is restored, and where.
pub struct Restore<'a> {
    /// Folder of the backup.
    pub folder: &'a Path,
    pub database: &'a DatabaseUrl,
    pub master_key_file: &'a Path,
    /// Part of the names of what is moved aside.
    pub time: &'a str,
}

/// What stood in the way, and where it is now. Moving it back undoes the restore.
#[derive(Debug, Default)]
pub struct Replaced(pub Vec<PathBuf>);

/// Puts a backup in place of what is there. Nothing is deleted: files are moved aside, and a PostgreSQL database is dumped
/// beside the backup.
///
/// # Errors
/// One line: another process uses the database, the backup is not whole, or of another kind of database, or what could not be written.
pub fn restore(restore: &Restore<'_>) -> Result<Replaced> {
    let manifest = Manifest::read(restore.folder)?;
    let copy = manifest.database_file(restore.folder)?;
    let key_file = restore.folder.join(MASTER_KEY);
    MasterKey::read(&key_file).map_err(|error| error.to_string())?.ok_or("the backup has no master key")?;
    let database = restore.database;
    check_unused(database).map_err(|error| format!("{database}: {error}"))?;
    let mut replaced = Replaced::default();
    match (restore.database, manifest.database.as_str()) {
        (DatabaseUrl::Sqlite(path), "sqlite") => {
            for suffix in ["", "-wal", "-shm"] {
                move_aside(
                    &PathBuf::from(format!("{}{suffix}", path.display())),
                    restore.time,
                    &mut replaced,
                )?;
            }
            copy_whole(&copy, path)?;
        }
        (DatabaseUrl::Postgres(_), "postgres") => {
            let before = aside(&restore.folder.with_extension("sql"), restore.time);
            replace_database(restore.database, &copy, &before).map_err(|error| error.to_string())?;
            replaced.0.push(before);
        }
        (_, kind) => return Err(format!("the backup is one of {kind}, and {} is not", restore.database)),
    }
    put_master_key(&key_file, restore, &mut replaced)?;
    Ok(replaced)
}

fn put_master_key(backup: &Path, restore: &Restore<'_>, replaced: &mut Replaced) -> Result<()> {
    let wanted = Zeroizing::new(secret_file::read(backup)?.unwrap_or_default());
    let path = restore.master_key_file;
    let present = secret_file::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    if present.map(Zeroizing::new).as_ref() == Some(&wanted) {
        return Ok(());
    }
    move_aside(path, restore.time, replaced)?;
    secret_file::create(path, &wanted).map(drop).map_err(at(path))
}

fn aside(path: &Path, time: &str) -> PathBuf {
    PathBuf::from(format!("{}.before-restore-{time}", path.display()))
}

fn move_aside(path: &Path, time: &str, replaced: &mut Replaced) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let to = aside(path, time);
    fs::rename(path, &to).map_err(at(path))?;
    replaced.0.push(to);
    Ok(())
}

/// Durable before anything is built on it.
fn copy_whole(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(at(from))?;
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(at(to))?;
    std::io::copy(&mut source, &mut target).and_then(|_| target.sync_all()).map_err(at(to))
}
