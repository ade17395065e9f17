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
        // Read once: each step appends an entry of its own.
        let newest = self.storage.audit_last()?.map_or(0, |newest| newest.entry.seq);
        let mut entries = 0;
        loop {
            // Each time: another process may prune as well.
            let last = self.pruned_up_to(None)?;
            let Some(page) = self.verified_page(last.as_ref(), newest, before)? else {
                return Ok(AuditPruned { entries, up_to: last.map_or(0, |last| last.seq) });
            };
            let up_to = page.seq;
            entries += self.storage.prune_audit(page)?;
            if !go_on(entries) {
                return Ok(AuditPruned { entries, up_to });
            }
        }
    }

    /// The last of the next entries that are verified and were written before an instant; `None` when there is none. The
    /// newest entry is not among them: the next one follows on it.
    fn verified_page(
        &self,
        after: Option<&Position>,
        newest: i64,
        before: Timestamp,
    ) -> Result<Option<Position>> {
        let links = self.storage.audit_entries(after.map_or(0, |position| position.seq), PAGE)?;
        let chain = self.storage.audit_chain()?;
        let mut last: Option<Position> = None;
        for link in links {
            // Its time counts once it is verified.
            chain.check(last.as_ref().or(after), &link).map_err(broken)?;
            if link.entry.at >= before || link.entry.seq >= newest {
                break;
            }
            last = Some(link.position());
        }
        Ok(last)
    }
}
