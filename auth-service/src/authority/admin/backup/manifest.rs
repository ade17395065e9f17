use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use service_kit::secret_file;

use super::{Result, at};
use crate::secret::hex;

const FILE: &str = "manifest.json";

/// What is in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// RFC 3339.
    pub created_at: String,
    /// Version of the program that made it.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// File with the database, in the folder of the backup.
    pub file: String,
    /// SHA-256 of that file, hexadecimal.
    pub sha256: String,
    /// Head of the audit log, as `audit head` prints it; `None` of an empty log.
    pub audit_head: Option<String>,
}

impl Manifest {
    /// # Errors
    /// One line: there is none, or it is no manifest.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        match Path::new(&manifest.file).file_name().is_some_and(|name| name == manifest.file.as_str()) {
            true => Ok(manifest),
            false => Err(format!("{}: `file` is not the name of a file", path.display())),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        secret_file::create(&path, format!("{text}\n").as_bytes()).map(drop).map_err(at(&path))
    }

    /// The database of a backup, whole and unchanged.
    ///
    /// # Errors
    /// One line: it is missing, or not what was written.
    pub fn database_file(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(&self.file);
        match sha256(&path)? == self.sha256 {
            true => Ok(path),
            false => Err(format!("{}: differs from what the backup wrote (SHA-256)", path.display())),
        }
    }
}

/// The newest backup in a folder of backups; `None` when there is none.
///
/// # Errors
/// One line: the folder cannot be read.
pub fn newest(folder: &Path) -> Result<Option<Manifest>> {
    let entries = fs::read_dir(folder).map_err(at(folder))?;
    let found = entries.filter_map(|entry| Manifest::read(&entry.ok()?.path()).ok());
    Ok(found.max_by(|one, other| one.created_at.cmp(&other.created_at)))
}

pub(super) fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(at(path))? {
            0 => return Ok(hex(context.finish().as_ref())),
            count => context.update(&buffer[..count]),
        }
    }
}
