//! Files that others should not read, and backups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::Findings;
use crate::authority::admin::backup;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::settings::Settings;
use crate::startup;
use crate::storage::DatabaseUrl;

/// Age of the newest backup beyond which the check warns, in milliseconds: a day, and an hour for it to be written.
const OLDEST_BACKUP: i64 = 25 * 3_600_000;

pub(super) fn check(settings: &Settings, found: &mut Findings) {
    check_initial_password(settings, found);
    for file in private_files(settings) {
        let Ok(metadata) = fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            let path = file.display();
            found.warn(
                "files",
                format!("{path} is readable for every user (mode {mode:03o}): run `chmod o= {path}`"),
            );
        }
    }
}

/// Those that nothing else refuses.
fn private_files(settings: &Settings) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = settings.database.url_file.clone().into_iter().collect();
    if let Ok(DatabaseUrl::Sqlite(path)) = startup::database_url(settings) {
        files.extend(["-wal", "-shm", ""].map(|suffix| PathBuf::from(format!("{}{suffix}", path.display()))));
    }
    files.extend(settings.backup.folder.clone());
    files
}

fn check_initial_password(settings: &Settings, found: &mut Findings) {
    let file = startup::initial_password_file(settings);
    if file.exists() {
        let advice =
            "holds the administrator's first password: change it with `auth-service user passwd admin`";
        found.warn("password", format!("{} {advice} and delete the file", file.display()));
    }
}

pub(super) fn check_backups(settings: &Settings, clock: &SystemClock, found: &mut Findings) {
    let Some(folder) = &settings.backup.folder else { return };
    let advice = "run `auth-service backup`, each day";
    match backup::newest(folder) {
        Err(wrong) => found.fail("backup", wrong),
        Ok(None) => found.warn("backup", format!("{} holds none: {advice}", folder.display())),
        Ok(Some(newest)) => {
            let made = Timestamp::from_rfc3339(&newest.created_at).map_or(0, |made| made.0);
            match clock.now().0.saturating_sub(made) > OLDEST_BACKUP {
                true => found.warn("backup", format!("the newest is of {}: {advice}", newest.created_at)),
                false => found.ok("backup", format!("the newest is of {}", newest.created_at)),
            }
        }
    }
}
