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
/// beside the backup. Everything is written beside its place first: a full disk changes nothing.
///
/// # Errors
/// One line: another process uses the database, the backup is not whole, or of another kind of database, or what could not be
/// written. What was moved aside is back in its place then.
pub fn restore(restore: &Restore<'_>) -> Result<Replaced> {
    let manifest = Manifest::read(restore.folder)?;
    let copy = manifest.database_file(restore.folder)?;
    let key_file = restore.folder.join(MASTER_KEY);
    MasterKey::read(&key_file).map_err(|error| error.to_string())?.ok_or("the backup has no master key")?;
    let database = restore.database;
    check_unused(database).map_err(|error| format!("{database}: {error}"))?;
    let key = staged_key(&key_file, restore)?;
    let mut replaced = Replaced::default();
    let placed = place_database(restore, &manifest, &copy, &mut replaced).and_then(|()| {
        key.as_ref().map_or(Ok(()), |key| put(key, restore.master_key_file, restore.time, &mut replaced))
    });
    match placed {
        Ok(()) => Ok(replaced),
        Err(cause) => {
            let _ = key.map(fs::remove_file);
            Err(replaced.undone(restore, cause))
        }
    }
}

fn place_database(
    restore: &Restore<'_>,
    manifest: &Manifest,
    copy: &Path,
    replaced: &mut Replaced,
) -> Result<()> {
    match (restore.database, manifest.database.as_str()) {
        (DatabaseUrl::Sqlite(path), "sqlite") => {
            let staged = beside(path, "restoring", restore.time);
            copy_whole(copy, &staged).inspect_err(|_| {
                let _ = fs::remove_file(&staged);
            })?;
            for suffix in ["-wal", "-shm"] {
                move_aside(&PathBuf::from(format!("{}{suffix}", path.display())), restore.time, replaced)?;
            }
            put(&staged, path, restore.time, replaced)
        }
        (DatabaseUrl::Postgres(_), "postgres") => {
            let before = aside(&restore.folder.with_extension("sql"), restore.time);
            replace_database(restore.database, copy, &before).map_err(|error| error.to_string())?;
            replaced.0.push(before);
            Ok(())
        }
        (_, kind) => Err(format!("the backup is one of {kind}, and {} is not", restore.database)),
    }
}

/// The master key of the backup beside its place; `None` where it is there already.
fn staged_key(backup: &Path, restore: &Restore<'_>) -> Result<Option<PathBuf>> {
    let wanted = Zeroizing::new(secret_file::read(backup)?.unwrap_or_default());
    let path = restore.master_key_file;
    let present = secret_file::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    if present.map(Zeroizing::new).as_ref() == Some(&wanted) {
        return Ok(None);
    }
    let staged = beside(path, "restoring", restore.time);
    secret_file::create(&staged, &wanted).map_err(at(&staged))?;
    Ok(Some(staged))
}

/// Moves what is there aside, and a staged file into its place.
fn put(staged: &Path, path: &Path, time: &str, replaced: &mut Replaced) -> Result<()> {
    move_aside(path, time, replaced)?;
    fs::rename(staged, path).map_err(at(path))
}

impl Replaced {
    /// Moves the files back; what a PostgreSQL database was is named.
    fn undone(self, restore: &Restore<'_>, cause: String) -> String {
        let suffix = format!(".before-restore-{}", restore.time);
        let mut kept = Vec::new();
        for path in self.0.into_iter().rev() {
            let name = path.display().to_string();
            match (restore.database, name.strip_suffix(&suffix)) {
                (DatabaseUrl::Sqlite(_), Some(original)) if fs::rename(&path, original).is_ok() => {}
                _ => kept.push(name),
            }
        }
        match kept.is_empty() {
            true => cause,
            false => format!("{cause}; what was there before is kept in {}", kept.join(", ")),
        }
    }
}

fn beside(path: &Path, what: &str, time: &str) -> PathBuf {
    PathBuf::from(format!("{}.{what}-{time}", path.display()))
}

fn aside(path: &Path, time: &str) -> PathBuf {
    beside(path, "before-restore", time)
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
