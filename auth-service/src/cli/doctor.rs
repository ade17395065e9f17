//! Checks everything that a start needs and prints what to do. Changes nothing.

mod findings;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use findings::Findings;

use super::Done;
use super::output::Output;
use crate::audit::{Actor, Chain};
use crate::clock::{CLOCK_DIFFERENCE, Clock, SystemClock};
use crate::keys::{KeyState, Keys, MasterKey};
use crate::mail;
use crate::settings::Settings;
use crate::startup;
use crate::storage::{DatabaseUrl, Storage};

/// Free space on the disk of a SQLite file below which the check warns, in bytes.
const LEAST_FREE: u64 = 100 << 20;

/// Entries of the audit log that are checked; `audit verify` checks all.
const LAST_ENTRIES: i64 = 1000;

pub(super) fn run(settings: &Settings, unknown: &[String], output: &Output) -> Done {
    let mut found = Findings::default();
    check_settings(settings, unknown, &mut found);
    let clock = SystemClock;
    found.note("clock", startup::check_clock(&clock).map(|()| clock.now().rfc3339()));
    check_old_key(settings, &clock, &mut found);
    check_initial_password(settings, &mut found);
    if let Some(policy) = startup::mail_policy(settings)? {
        found.note("mail", mail::reach(policy).map(|()| "the mail server answers".to_owned()));
    }
    check_database(settings, &clock, &mut found);
    for (what, bind) in [("http", Some(settings.http.bind)), ("grpc", Some(settings.grpc.bind))] {
        check_listener(what, bind, settings.http.bind, &mut found);
    }
    check_listener("metrics", settings.metrics.bind, settings.http.bind, &mut found);
    found.report(output)
}

fn check_initial_password(settings: &Settings, found: &mut Findings) {
    let file = startup::initial_password_file(settings);
    if file.exists() {
        let advice =
            "holds the administrator's first password: change it with `auth-service user passwd admin`";
        found.warn("password", format!("{} {advice} and delete the file", file.display()));
    }
}

fn check_settings(settings: &Settings, unknown: &[String], found: &mut Findings) {
    for message in unknown {
        found.fail("settings", message);
    }
    if settings.issuer.starts_with("http://") && !settings.http.bind.ip().is_loopback() {
        found.warn(
            "settings",
            "the issuer is not https, and the listener accepts connections from other machines",
        );
    }
    if unknown.is_empty() {
        found.ok("settings", format!("issuer {}", settings.issuer));
    }
}

/// The key of the previous issuer is needed only until its last refresh token has expired.
fn check_old_key(settings: &Settings, clock: &SystemClock, found: &mut Findings) {
    let (Some(file), Some(until)) = (&settings.simplejwt.legacy_key_file, settings.simplejwt.legacy_until)
    else {
        return;
    };
    let left = until.0.saturating_sub(clock.now().0) / 3_600_000;
    match left {
        ..=0 => found.warn("old key", format!("{} is no longer needed: remove it", file.display())),
        hours => found.ok("old key", format!("its refresh tokens are exchanged for another {hours} h")),
    }
}

fn check_database(settings: &Settings, clock: &SystemClock, found: &mut Findings) {
    let url = match startup::database_url(settings) {
        Ok(url) => url,
        Err(wrong) => return found.fail("database", wrong),
    };
    if let DatabaseUrl::Sqlite(path) = &url {
        if !path.exists() {
            let advice = "the first start creates it; if there was one, restore it";
            return found.fail("database", format!("{url} does not exist: {advice}"));
        }
        check_disk(path, found);
    }
    match Storage::pending_migrations(&url) {
        Err(error) => return found.fail("database", format!("{url}: {error}")),
        Ok(pending) if !pending.is_empty() => {
            let missing = pending.join(", ");
            return found.fail("schema", format!("is missing {missing}: run `auth-service migrate`"));
        }
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

/// Verifiers without a signed time allow a clock that is one day behind, no more.
const FAR_AHEAD: Duration = Duration::from_secs(86_400);

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

/// Free, or taken by an authority that answers.
fn check_listener(what: &'static str, bind: Option<SocketAddr>, http: SocketAddr, found: &mut Findings) {
    let Some(bind) = bind else { return found.ok(what, "off") };
    match TcpListener::bind(bind) {
        Ok(_) => found.ok(what, format!("{bind} is free")),
        Err(error) => match service_kit::healthcheck::ask(http) {
            Ok(()) => found.ok(what, format!("{bind} is in use by an authority that is ready")),
            Err(_) => found.fail(what, format!("{bind}: {error}, and no authority is ready at {http}")),
        },
    }
}
