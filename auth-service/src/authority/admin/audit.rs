use std::collections::HashMap;
use std::fmt;

use uuid::Uuid;

use super::invalid;
use crate::audit::{Action, AuditEntry, Broken, Link, Position};
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
    /// How many of them, the oldest, were pruned.
    pub pruned: i64,
    /// `None` of an empty log.
    pub head: Option<AuditHead>,
}

impl AuditHead {
    fn of(position: &Position) -> Self {
        Self { seq: position.seq, mac: hex(&position.mac) }
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
    /// end was not cut off. What was pruned is gone; the rest is verified from a sealed checkpoint.
    ///
    /// # Errors
    /// `Internal` with what is broken, and where; `Admin(Invalid)` for a head that was pruned; `Unavailable`.
    pub fn verify_audit_log(&self, kept: Option<&AuditHead>) -> Result<AuditSummary> {
        loop {
            let before = self.pruned_up_to(kept)?;
            let verified = self.verify_from(before.clone(), kept);
            // Entries that another process prunes meanwhile are not missing.
            if verified.is_ok() || self.pruned_up_to(kept)? == before {
                return verified;
            }
        }
    }

    fn verify_from(&self, checkpoint: Option<Position>, kept: Option<&AuditHead>) -> Result<AuditSummary> {
        // Read before the entries: more may be appended meanwhile.
        let written = self.storage.audit_length()?;
        let chain = self.storage.audit_chain()?;
        let mut verified = checkpoint;
        let pruned = verified.as_ref().map_or(0, |position| position.seq);
        let mut erased = ErasedEntries::default();
        self.for_each_audit_link(pruned, |link| {
            chain.check(verified.as_ref(), &link).map_err(broken)?;
            erased.see(&link.entry);
            let position = link.position();
            if kept.is_some_and(|kept| kept.seq == position.seq && *kept != AuditHead::of(&position)) {
                return Err(replaced(position.seq));
            }
            verified = Some(position);
            Ok(())
        })?;
        let entries = verified.as_ref().map_or(0, |last| last.seq);
        let written = kept.map_or(written, |kept| written.max(kept.seq));
        if entries < written {
            return Err(broken(Broken::CutOff { last: entries, written }));
        }
        erased.check()?;
        Ok(AuditSummary { entries, pruned, head: verified.as_ref().map(AuditHead::of) })
    }

    /// The checkpoint, where the log was pruned.
    pub(super) fn pruned_up_to(&self, kept: Option<&AuditHead>) -> Result<Option<Position>> {
        let Some(checkpoint) = self.storage.audit_checkpoint()? else { return Ok(None) };
        self.storage.audit_chain()?.check_checkpoint(&checkpoint).map_err(broken)?;
        let position = checkpoint.position;
        if kept.is_some_and(|kept| kept.seq < position.seq) {
            let seq = position.seq;
            return Err(invalid(format!("the entries up to {seq} were pruned: compare with a later head")));
        }
        if kept.is_some_and(|kept| kept.seq == position.seq && *kept != AuditHead::of(&position)) {
            return Err(replaced(position.seq));
        }
        Ok(Some(position))
    }

    /// The head of the audit log; `None` of an empty one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn audit_head(&self) -> Result<Option<AuditHead>> {
        Ok(self.storage.audit_last()?.map(|last| AuditHead::of(&last.position())))
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

/// Entries whose personal data are missing, by their user. Only the deletion of that user may have erased them.
#[derive(Default)]
struct ErasedEntries(HashMap<Option<String>, i64>);

impl ErasedEntries {
    fn see(&mut self, entry: &AuditEntry) {
        if entry.is_erased() {
            self.0.entry(entry.user_id.clone()).or_insert(entry.seq);
        }
        if entry.action == Action::UserDeleted.as_str() && entry.user_id.is_some() {
            self.0.remove(&entry.user_id);
        }
    }

    fn check(self) -> Result<()> {
        match self.0.into_values().min() {
            None => Ok(()),
            Some(seq) => Err(broken(Broken::PersonalDataAltered(seq))),
        }
    }
}

fn replaced(seq: i64) -> Error {
    broken(format!("entry {seq} differs from the stored head: the log was replaced"))
}

pub(super) fn broken(cause: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, cause.to_string())
}
