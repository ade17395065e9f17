//! The database, its clock, the keys in it and the audit log.

use std::path::Path;
use std::time::{Duration, Instant};

use super::Findings;
use crate::audit::{Actor, Chain};
use crate::clock::{CLOCK_DIFFERENCE, Clock, SystemClock};
use crate::keys::{KeyState, Keys, MasterKey};
use crate::settings::Settings;
use crate::startup;
use crate::storage::{DatabaseUrl, Storage};

/// Free space on the disk of a SQLite file below which the check warns, in bytes.
const LEAST_FREE: u64 = 100 << 20;

/// Entries of the audit log that are checked; `audit verify` checks all.
const LAST_ENTRIES: i64 = 1000;

/// Verifiers without a signed time allow a clock that is one day behind, no more.
const FAR_AHEAD: Duration = Duration::from_secs(86_400);

pub(super) fn check(settings: &Settings, clock: &SystemClock, found: &mut Findings) {
    let url = match startup::database_url(settings) {
        Ok(url) => url,
        Err(wrong) => return found.fail("database", wrong),
    };
    if let DatabaseUrl::Sqlite(path) = &url {
        if !path.exists() {
            return check_first_start(settings, &url, found);
        }
        check_disk(path, found);
    }
    match Storage::pending_migrations(&url) {
        Err(error) => return found.fail("database", format!("{url}: {error}")),
        Ok(pending) if !pending.is_empty() => return check_pending(settings, &url, &pending, found),
        Ok(_) => found.ok("schema", "up to date"),
    }
    let begun = Instant::now();
    let storage = match Storage::connect(&url, 1) {
        Ok(storage) => storage,
        Err(error) => return found.fail("database", format!("{url}: {error}")),
    };
    let read = storage.change_counters().map_err(|error| format!("{url}: {error}"));
    if let Ok(counters) = &read {
        check_epoch(counters.epoch, clock, found);
    }
    found.note("database", read.map(|_| format!("{url} answers after {} ms", begun.elapsed().as_millis())));
    match storage.clock() {
        Ok(Some(theirs)) if theirs.distance(clock.now()) > CLOCK_DIFFERENCE => {
            let apart = theirs.distance(clock.now()).as_secs();
            found.fail(
                "clock",
                format!("differs by {apart} s from that of the database: synchronize both by NTP"),
            );
        }
        Ok(_) => {}
        Err(error) => found.fail("database", error.to_string()),
    }
    check_keys(&settings.keys.master_key_file, &storage, clock, found);
}

/// Each epoch is later than the one before. An epoch from a wrong clock still works, but verifiers without a signed time
/// refuse it.
fn check_epoch(epoch: i64, clock: &SystemClock, found: &mut Findings) {
    let ahead = Duration::from_millis(u64::try_from(epoch.saturating_sub(clock.now().0)).unwrap_or(0));
    if ahead > FAR_AHEAD {
        let days = ahead.as_secs() / 86_400;
        let advice = "a clock was wrong when it started; verifiers older than this version refuse it, upgrade them first";
        found.warn("epoch", format!("lies {days} days ahead of the clock: {advice}"));
    }
}

fn check_disk(file: &Path, found: &mut Findings) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match rustix::fs::statvfs(folder) {
        Ok(disk) if disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_FREE => {
            found.warn("disk", format!("{} has less than 100 MiB free", folder.display()));
        }
        Ok(disk) => {
            found.ok("disk", format!("{} MiB free", (disk.f_bavail.saturating_mul(disk.f_frsize)) >> 20))
        }
        Err(error) => found.fail("disk", format!("{}: {error}", folder.display())),
    }
}

fn check_keys(file: &Path, storage: &Storage, clock: &SystemClock, found: &mut Findings) {
    let master = match MasterKey::read(file) {
        Ok(Some(master)) => master,
        Ok(None) => {
            return found.fail("master key", format!("{} does not exist: restore it", file.display()));
        }
        Err(error) => return found.fail("master key", error.to_string()),
    };
    let secrets = match startup::open_secrets(&master, file, storage) {
        Ok(secrets) => secrets,
        Err(wrong) => return found.fail("master key", wrong),
    };
    let now = clock.now();
    let loaded = storage.all_keys().map_err(|error| error.to_string()).and_then(|records| {
        let keys = Keys::new(&secrets);
        keys.rebuild(records, Default::default(), now).map_err(|error| error.to_string())?;
        Ok(keys.ring())
    });
    match loaded {
        Err(wrong) => found.fail("keys", wrong),
        Ok(ring) => {
            let active = ring.records.iter().find(|key| matches!(key.state(now), KeyState::Active { .. }));
            let records = ring.records.len();
            match active {
                Some(key) => {
                    found.ok("keys", format!("{records} keys; {} signs ({})", key.kid, key.algorithm))
                }
                None => found.warn("keys", "none signs yet: the first start creates one"),
            }
        }
    }
    storage.audit_with(Chain::new(&secrets, std::sync::Arc::new(SystemClock), Actor::Authority));
    found.note("audit log", check_last_entries(storage));
}

fn check_last_entries(storage: &Storage) -> Result<String, String> {
    let words = |error: crate::storage::StorageError| error.to_string();
    let length = storage.audit_length().map_err(words)?;
    let links = storage.audit_entries((length - LAST_ENTRIES).max(0), LAST_ENTRIES).map_err(words)?;
    let chain = storage.audit_chain().map_err(words)?;
    for pair in links.windows(2) {
        chain.check(Some(&pair[0].position()), &pair[1]).map_err(|broken| broken.to_string())?;
    }
    Ok(format!("{length} entries; the last {} are linked correctly", links.len()))
}

/// No database, which is as it should be before the first start.
fn check_first_start(settings: &Settings, url: &DatabaseUrl, found: &mut Findings) {
    let key = settings.keys.master_key_file.display();
    if settings.keys.master_key_file.exists() {
        let advice = "the first start creates one; if there was one, restore it";
        return found
            .warn("database", format!("{url} does not exist, and the master key {key} does: {advice}"));
    }
    found.ok("database", format!("none yet: the first start creates {url}"));
    found.ok("master key", format!("none yet: the first start creates {key}; back it up"));
    let password = match &settings.bootstrap.admin_password_file {
        Some(file) => format!("with the password in {}", file.display()),
        None => {
            format!("and writes their password to {}", startup::initial_password_file(settings).display())
        }
    };
    found.ok("users", format!("none yet: the first start creates the administrator `admin`, {password}"));
}

fn check_pending(settings: &Settings, url: &DatabaseUrl, pending: &[String], found: &mut Findings) {
    let missing = pending.join(", ");
    match settings.database.migrate {
        true if Storage::knows_no_migration(pending, url) => check_first_start(settings, url, found),
        true => found.warn("schema", format!("the next start, or `auth-service migrate`, applies {missing}")),
        false => found.fail("schema", format!("is missing {missing}: run `auth-service migrate`")),
    }
}
