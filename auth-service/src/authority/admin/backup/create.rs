use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use service_kit::secret_file;
use zeroize::Zeroizing;

use super::manifest::sha256;
use super::{MASTER_KEY, Manifest, Result, at};
use crate::authority::Authority;
use crate::keys::{MasterKey, Secrets};
use crate::storage::{DatabaseUrl, Storage};

/// A backup that was written and checked.
#[derive(Debug)]
pub struct Created {
    pub folder: PathBuf,
    pub manifest: Manifest,
}

/// Writes a backup into a new folder within `parent`, while the authority runs, and checks it. What is not finished is
/// removed.
///
/// # Errors
/// One line: what could not be written, or what the check found.
pub fn create(authority: &Authority, parent: &Path, master_key_file: &Path) -> Result<Created> {
    make(parent)?;
    let created_at = authority.now().rfc3339();
    let name = format!("signet-{}", created_at.replace(['-', ':'], ""));
    let (partial, folder) = (parent.join(format!(".{name}.partial")), parent.join(&name));
    if folder.exists() {
        return Err(format!("{} exists already", folder.display()));
    }
    DirBuilder::new().mode(0o700).create(&partial).map_err(at(&partial))?;
    let written = write(authority, &partial, master_key_file, created_at);
    let finished = written.and_then(|manifest| {
        fs::rename(&partial, &folder).map_err(at(&folder))?;
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(at(parent))?;
        Ok(Created { folder, manifest })
    });
    if finished.is_err() {
        // Half a backup must not be taken for one.
        let _ = fs::remove_dir_all(&partial);
    }
    finished
}

fn make(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(folder).map_err(at(folder))
}

fn write(
    authority: &Authority,
    folder: &Path,
    master_key_file: &Path,
    created_at: String,
) -> Result<Manifest> {
    // Before the copy, which has every entry up to there.
    let audit_head = authority.audit_head().map_err(|error| error.cause)?.map(|head| head.to_string());
    let url = authority.storage.url();
    let (database, file) = match url {
        DatabaseUrl::Sqlite(_) => ("sqlite", "signet.db"),
        DatabaseUrl::Postgres(_) => ("postgres", "database.sql"),
    };
    let copy = folder.join(file);
    authority.storage.copy_to(&copy).map_err(|error| format!("{url}: {error}"))?;
    File::open(&copy).and_then(|copy| copy.sync_all()).map_err(at(&copy))?;
    let key = secret_file::read(master_key_file).map_err(|cause| format!("master key: {cause}"))?;
    let key = Zeroizing::new(key.ok_or("master key: the file does not exist")?);
    let key_file = folder.join(MASTER_KEY);
    secret_file::create(&key_file, &key).map_err(at(&key_file))?;
    check(authority, &copy, &key_file, audit_head.as_deref())?;
    let manifest = Manifest {
        created_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database: database.to_owned(),
        file: file.to_owned(),
        sha256: sha256(&copy)?,
        audit_head,
    };
    manifest.write(folder)?;
    Ok(manifest)
}

/// Opens a SQLite copy as a start would, and looks for the end of its audit log. A dump of PostgreSQL is verified where it
/// is restored.
fn check(authority: &Authority, copy: &Path, key_file: &Path, audit_head: Option<&str>) -> Result<()> {
    let key = MasterKey::read(key_file).map_err(|error| error.to_string())?;
    let key = key.ok_or("the copy of the master key is missing")?;
    if let DatabaseUrl::Postgres(_) = authority.storage.url() {
        // As the secrets were when the dump was made, or since: a change of the master key in between is noticed.
        let sealed = authority.storage.sealed_secrets().map_err(|error| error.to_string())?;
        return Secrets::open(&key, &sealed).map(drop).map_err(|error| format!("master key: {error}"));
    }
    let wrong = |error: &dyn std::fmt::Display| format!("the copy is unusable: {error}");
    let storage =
        Storage::connect(&DatabaseUrl::Sqlite(copy.to_owned()), 1).map_err(|error| wrong(&error))?;
    storage.check_integrity().map_err(|error| wrong(&error))?;
    let sealed = storage.sealed_secrets().map_err(|error| wrong(&error))?;
    Secrets::open(&key, &sealed).map_err(|error| wrong(&error))?;
    let last = storage.audit_last().map_err(|error| wrong(&error))?.map(|last| last.entry.seq);
    let expected = audit_head.and_then(|head| head.split_once(':')?.0.parse().ok());
    if last < expected {
        return Err(format!("the copy ends before entry {} of the audit log", expected.unwrap_or_default()));
    }
    Ok(())
}
