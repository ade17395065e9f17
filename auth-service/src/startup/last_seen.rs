//! What this replica has seen of the database, in a file beside the master key. A start notices by it that the database is
//! older than that: a backup was restored, and verifiers were not told.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Result;
use super::database::database_url;
use crate::authority::Authority;
use crate::settings::Settings;
use crate::storage::{DatabaseUrl, Storage};

/// The counters that never decrease within the history of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LastSeen {
    epoch: u64,
    /// Entries of the audit log.
    audit: i64,
}

impl LastSeen {
    /// # Errors
    /// One line: the database does not answer.
    pub(super) fn now(storage: &Storage) -> Result<Self> {
        let (epoch, audit) = storage.history().map_err(|error| error.to_string())?;
        Ok(Self { epoch: u64::try_from(epoch).unwrap_or(0), audit })
    }

    /// Whether a database with these counters may have come before one with those of `later`.
    fn is_before(self, later: Self) -> bool {
        self.epoch < later.epoch || (self.epoch == later.epoch && self.audit < later.audit)
    }
}

/// Where it is kept.
#[must_use]
pub(super) fn last_seen_file(settings: &Settings) -> PathBuf {
    settings.keys.master_key_file.with_extension("last-seen.json")
}

/// Refuses a database that is older than what this replica has seen. Before a start changes anything in it.
///
/// # Errors
/// One line with what to do.
pub fn check_last_seen(settings: &Settings) -> Result<()> {
    let file = last_seen_file(settings);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let seen: LastSeen =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let url = database_url(settings)?;
    if let DatabaseUrl::Sqlite(path) = &url
        && !path.exists()
    {
        return Err(format!(
            "{url} does not exist, and this replica has seen it: restore it; if it is another database, delete {}",
            file.display()
        ));
    }
    let storage = Storage::connect(&url, 1).map_err(|error| format!("{url}: {error}"))?;
    let now = LastSeen::now(&storage)?;
    if !now.is_before(seen) {
        return Ok(());
    }
    Err(format!(
        "the database is older than this replica has seen it (audit log: entry {} in epoch {}, and {} in {}): a backup was \
         restored, run `auth-service restored`; if it is another database, delete {}",
        now.audit,
        now.epoch,
        seen.audit,
        seen.epoch,
        file.display()
    ))
}

/// Notes what is seen now. Where the folder cannot be written to (a mounted secret), nothing is noticed later.
pub fn note_last_seen(settings: &Settings, authority: &Authority) {
    let file = last_seen_file(settings);
    let noted = LastSeen::now(&authority.storage).and_then(|seen| {
        let text = serde_json::to_string(&seen).map_err(|error| error.to_string())?;
        let aside = file.with_extension(format!("new-{}", Uuid::new_v4().simple()));
        let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, &file));
        written.map_err(|error| {
            let _ = fs::remove_file(&aside);
            format!("{}: {error}", file.display())
        })
    });
    if let Err(cause) = noted {
        tracing::debug!(cause, "what was seen of the database was not noted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_database_has_fewer_entries_or_an_earlier_epoch() {
        let seen = |epoch, audit| LastSeen { epoch, audit };
        assert!(seen(1, 9).is_before(seen(1, 10)) && seen(1, 99).is_before(seen(2, 10)));
        assert!(!seen(1, 10).is_before(seen(1, 10)) && !seen(2, 1).is_before(seen(1, 10)));
    }
}
