//! Deletes old entries of the audit log.

use super::audit::broken;
use crate::audit::Position;
use crate::authority::Authority;
use crate::clock::Timestamp;
use crate::error::Result;

/// Entries that are verified and deleted in one step.
const PAGE: i64 = 1000;

/// What was pruned.
#[derive(Debug, Default)]
pub struct AuditPruned {
    pub entries: usize,
    /// The number of the last entry that was ever pruned; 0 when none was.
    pub up_to: i64,
}

impl Authority {
    /// Deletes the entries that were written before an instant, each verified before: a log that was tampered with keeps its
    /// evidence. The newest entry always stays. A sealed checkpoint keeps the rest verifiable. `go_on` is called between two
    /// pages with the number of entries that were deleted so far.
    ///
    /// # Errors
    /// `Internal` with the entry that is broken, and no entry from there on is deleted; `Unavailable`.
    pub fn prune_audit_log(&self, before: Timestamp, go_on: impl Fn(usize) -> bool) -> Result<AuditPruned> {
        let target = self.storage.audit_prunable(before)?;
        let mut last = self.pruned_up_to(None)?;
        let mut entries = 0;
        while let Some(page) = self.verified_page(last.as_ref(), target)? {
            entries += self.storage.prune_audit(page.clone())?;
            last = Some(page);
            if !go_on(entries) {
                break;
            }
        }
        Ok(AuditPruned { entries, up_to: last.map_or(0, |last| last.seq) })
    }

    /// The end of the next page of entries up to a number, all of them verified; `None` when there is none.
    fn verified_page(&self, after: Option<&Position>, up_to: i64) -> Result<Option<Position>> {
        let from = after.map_or(0, |position| position.seq);
        let links = self.storage.audit_entries(from, PAGE.min(up_to - from).max(0))?;
        let chain = self.storage.audit_chain()?;
        let mut last = after.cloned();
        for link in &links {
            chain.check(last.as_ref(), link).map_err(broken)?;
            last = Some(link.position());
        }
        Ok(last.filter(|_| !links.is_empty()))
    }
}
