//! Keeps the database from growing for ever: now and then one replica walks through the tables and deletes what
//! has expired, a page at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::audit::Actor;
use crate::authority::Authority;
use crate::background::{Background, Schedule, Signals};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::metrics;
use crate::secret::hex;
use crate::storage::{StorageError, Swept};

/// Between two pages: requests come first.
const PAUSE: Duration = Duration::from_millis(20);

/// How often a replica tries to claim the sweep, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How far the wall clock may run ahead of the time that has passed: beyond it, what it calls expired may not be.
const MOST_AHEAD: Duration = Duration::from_secs(600);

/// When rows are swept.
#[derive(Debug, Clone, Copy)]
pub struct SweepPolicy {
    /// Between two walks, of whichever replicas.
    pub interval: Duration,
    /// How long a row is kept after it has expired.
    pub keep: Duration,
    /// How long entries of the audit log are kept; `None` for ever.
    pub audit_keep: Option<Duration>,
}

/// Begins to sweep now and then, until what it returns is dropped; `note` is called first in each round.
///
/// # Errors
/// `Internal` when the system gives no thread.
pub fn start(
    authority: Arc<Authority>,
    policy: SweepPolicy,
    note: impl Fn() + Send + 'static,
) -> Result<Background> {
    let (trust, published) = (ClockTrust::new(authority.now()), AtomicI64::new(0));
    let work = move |signals: &Signals| {
        note();
        authority.refresh_dummies()?;
        authority.publish_audit_head(&published)?;
        if !trust.holds(authority.now()) {
            tracing::warn!("the clock has jumped ahead: nothing is swept until a restart");
            return Ok(());
        }
        authority.sweep(policy, || signals.pause(PAUSE))
    };
    let ended = |result: &Result<()>| {
        if result.is_err() {
            metrics::sweep_failed();
        }
    };
    Background::start(
        Schedule::every("sweeper", policy.interval.min(LONGEST_WAIT), "expired rows are deleted again"),
        work,
        ended,
    )
}

impl Authority {
    /// Writes the head of the audit log into the ordinary log, which is kept elsewhere: anyone who cuts off the end of the
    /// one in the database would have to cut off that of the other, too.
    fn publish_audit_head(&self, published: &AtomicI64) -> Result<()> {
        let Some(last) = self.storage.audit_last()? else { return Ok(()) };
        metrics::audit_entries(last.entry.seq);
        if published.swap(last.entry.seq, Ordering::Relaxed) != last.entry.seq {
            tracing::info!(head = %format_args!("{}:{}", last.entry.seq, hex(&last.mac)), "audit log");
        }
        Ok(())
    }
}

/// Compares the wall clock with the time that has passed.
struct ClockTrust {
    wall: Timestamp,
    passed: Instant,
}

impl ClockTrust {
    fn new(wall: Timestamp) -> Self {
        Self { wall, passed: Instant::now() }
    }

    fn holds(&self, now: Timestamp) -> bool {
        now <= self.wall.plus(self.passed.elapsed()).plus(MOST_AHEAD)
    }
}

impl Authority {
    /// Sees which password schemes accounts have now.
    ///
    /// # Errors
    /// `Unavailable`; what was seen before stays.
    pub(crate) fn refresh_dummies(&self) -> Result<()> {
        self.sign_in.dummies.replace(self.storage.password_schemes()?);
        Ok(())
    }

    /// Deletes expired rows, if this replica can claim the sweep. `go_on` is called between two pages.
    ///
    /// # Errors
    /// `Unavailable`; the next walk begins again.
    pub fn sweep(&self, policy: SweepPolicy, go_on: impl Fn() -> bool) -> Result<()> {
        let now = self.now();
        if !self.storage.take_sweeping_turn(now, policy.interval)? {
            return Ok(());
        }
        let before = now.minus(policy.keep);
        let sessions =
            walk("sessions", String::new(), &go_on, |after| self.storage.sweep_sessions(&after, before))?;
        let revocations =
            walk("revocations", 0, &go_on, |after| self.storage.sweep_revocations(after, before))?;
        // Names that an older version wrote, also one that still runs beside this one during an upgrade.
        let mut after = String::new();
        while let Some(last) = self.storage.complete_skeletons(&after)?
            && go_on()
        {
            after = last;
        }
        self.end_expired_browser_sessions(&go_on)?;
        while self.storage.sweep_logins(before)? > 0 && go_on() {}
        while self.storage.sweep_failures(now)? > 0 && go_on() {}
        while self.storage.sweep_legacy_tokens(before)? > 0 && go_on() {}
        if sessions + revocations > 0 {
            tracing::info!(sessions, revocations, "swept what has expired");
        }
        // Last: a log that was tampered with is not pruned, and the failure is logged until an operator looks at it.
        match policy.audit_keep {
            Some(keep) => self.prune_old_audit_entries(now.minus(keep), go_on),
            None => Ok(()),
        }
    }

    /// What came from them ends as by a logout, and their clients are told.
    fn end_expired_browser_sessions(&self, go_on: &impl Fn() -> bool) -> Result<()> {
        loop {
            let over = self.storage.browser_sessions_to_end(self.now())?;
            if over.is_empty() {
                return Ok(());
            }
            for id in over {
                let ended =
                    self.storage.end_browser_session(&id, Some(Actor::Authority), self.browser_end())?;
                self.apply_ended(ended);
                if !go_on() {
                    return Ok(());
                }
            }
        }
    }

    fn prune_old_audit_entries(&self, before: Timestamp, go_on: impl Fn() -> bool) -> Result<()> {
        let pruned = self.prune_audit_log(before, |_| go_on())?;
        if pruned.entries > 0 {
            metrics::swept("audit", pruned.entries);
            tracing::info!(entries = pruned.entries, up_to = pruned.up_to, "pruned the audit log");
        }
        Ok(())
    }
}

/// Through one table, page by page: how many rows were deleted.
fn walk<P>(
    table: &'static str,
    first: P,
    go_on: &impl Fn() -> bool,
    sweep_page: impl Fn(P) -> std::result::Result<Swept<P>, StorageError>,
) -> Result<usize> {
    let (mut deleted, mut after) = (0, Some(first));
    while let Some(position) = after {
        let swept = sweep_page(position)?;
        metrics::swept(table, swept.deleted);
        deleted += swept.deleted;
        after = swept.next.filter(|_| go_on());
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_ahead_is_not_trusted() {
        let trust = ClockTrust::new(Timestamp(1_000_000));
        assert!(trust.holds(Timestamp(1_000_000)) && trust.holds(Timestamp(0)));
        assert!(trust.holds(Timestamp(1_000_000 + 599_000)));
        assert!(!trust.holds(Timestamp(1_000_000 + 700_000)));
    }
}
