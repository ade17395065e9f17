use std::fmt;

use uuid::Uuid;

use super::invalid;
use crate::audit::{AuditEntry, Broken, Link};
use crate::authority::Authority;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::hex;
use crate::storage::AuditFilter;

/// Entries that are read at one time.
const PAGE: i64 = 1000;

/// The number and the MAC of the last entry, which an operator keeps elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    seq: i64,
    /// Hexadecimal, in lower case.
    mac: String,
}

/// An audit log that was verified.
#[derive(Debug)]
pub struct AuditSummary {
    pub entries: i64,
    /// `None` of an empty log.
    pub head: Option<AuditHead>,
}

impl AuditHead {
    fn of(link: &Link) -> Self {
        Self { seq: link.entry.seq, mac: hex(&link.mac) }
    }

    /// Reads `SEQ:MAC`.
    ///
    /// # Errors
    /// `Admin(Invalid)`.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once(':').and_then(|(seq, mac)| Some((seq.parse().ok()?, mac)));
        match parts {
            Some((seq, mac))
                if seq > 0 && mac.len() == 64 && mac.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
            {
                Ok(Self { seq, mac: mac.to_ascii_lowercase() })
            }
            _ => Err(invalid("expected SEQ:MAC, as `audit head` prints it")),
        }
    }
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.mac)
    }
}

impl Authority {
    /// Verifies that no entry of the audit log was altered or removed; with a head that was kept elsewhere also that its
    /// end was not cut off.
    ///
    /// # Errors
    /// `Internal` with what is broken, and where; `Unavailable`.
    pub fn verify_audit_log(&self, kept: Option<&AuditHead>) -> Result<AuditSummary> {
        let broken = |cause: String| Error::new(ErrorKind::Internal, cause);
        // Read before the entries: more may be appended meanwhile.
        let written = self.storage.audit_length()?;
        let chain = self.storage.audit_chain()?;
        let mut last: Option<Link> = None;
        self.for_each_audit_link(0, |link| {
            chain.check(last.as_ref(), &link).map_err(|fault| broken(fault.to_string()))?;
            if kept.is_some_and(|kept| kept.seq == link.entry.seq && *kept != AuditHead::of(&link)) {
                let seq = link.entry.seq;
                return Err(broken(format!(
                    "entry {seq} differs from the stored head: the log was replaced"
                )));
            }
            last = Some(link);
            Ok(())
        })?;
        let entries = last.as_ref().map_or(0, |link| link.entry.seq);
        let written = kept.map_or(written, |kept| written.max(kept.seq));
        if entries < written {
            return Err(broken(Broken::CutOff { last: entries, written }.to_string()));
        }
        Ok(AuditSummary { entries, head: last.as_ref().map(AuditHead::of) })
    }

    /// The head of the audit log; `None` of an empty one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn audit_head(&self) -> Result<Option<AuditHead>> {
        Ok(self.storage.audit_last()?.as_ref().map(AuditHead::of))
    }

    /// The entries after a number, the oldest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn audit_entries(&self, after: i64) -> Result<Vec<AuditEntry>> {
        let mut entries = Vec::new();
        self.for_each_audit_link(after, |link| {
            entries.push(link.entry);
            Ok(())
        })?;
        Ok(entries)
    }

    /// Entries that match a filter, the oldest first, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn audit_page(&self, filter: &AuditFilter, after: i64, limit: u32) -> Result<Vec<AuditEntry>> {
        Ok(self.storage.audit_page(filter, after, limit)?)
    }

    /// The number before the newest entries that match a filter.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn audit_before_newest(&self, filter: &AuditFilter, count: u32) -> Result<i64> {
        Ok(self.storage.audit_before_newest(filter, count)?)
    }

    /// The ID of a user, also of one who was deleted: by name, or the ID itself.
    ///
    /// # Errors
    /// `Admin(NotFound)`; `Unavailable`.
    pub fn audited_user_id(&self, name_or_id: &str) -> Result<String> {
        match self.user_id(name_or_id) {
            Err(_) if Uuid::try_parse(name_or_id).is_ok() => Ok(name_or_id.to_owned()),
            found => found,
        }
    }

    /// Reads the entries after a number, a page at a time.
    fn for_each_audit_link(&self, mut after: i64, mut see: impl FnMut(Link) -> Result<()>) -> Result<()> {
        loop {
            let page = self.storage.audit_entries(after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.entry.seq;
            page.into_iter().try_for_each(&mut see)?;
        }
    }
}
