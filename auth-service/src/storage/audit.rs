use std::sync::{Arc, OnceLock};

use diesel::prelude::*;

use super::Storage;
use super::audit_row::AuditRow;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{audit, counters};
use crate::audit::{Chain, Event, Link, Mac};
use crate::context::RequestContext;

/// Given to the storage once there is a master key; shared with its threads.
pub(super) type SharedChain = Arc<OnceLock<Chain>>;

impl Storage {
    /// Who writes here, and what links the entries. A storage without it refuses whatever has to be written down.
    pub fn audit_with(&self, chain: Chain) {
        // Set once, at the start.
        let _ = self.parts.chain.set(chain);
    }

    /// The same storage for what is done on a request: audit entries say where that came from.
    #[must_use]
    pub fn on_behalf_of(&self, context: &RequestContext) -> Self {
        Self { context: context.clone(), ..self.clone() }
    }

    /// At most `limit` entries behind a number, in order.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_entries(&self, after: i64, limit: i64) -> Result<Vec<Link>, StorageError> {
        let page = audit::table.filter(audit::seq.gt(after)).order(audit::seq).limit(limit);
        let rows: Vec<AuditRow> =
            self.read(|connection| Ok(page.select(AuditRow::as_select()).load(connection)?))?;
        Ok(rows.into_iter().map(AuditRow::into_link).collect())
    }

    /// The newest entry.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_last(&self) -> Result<Option<Link>, StorageError> {
        let newest = audit::table.order(audit::seq.desc()).select(AuditRow::as_select());
        let row: Option<AuditRow> = self.read(|connection| Ok(newest.first(connection).optional()?))?;
        Ok(row.map(AuditRow::into_link))
    }

    /// How many entries were ever written.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_length(&self) -> Result<i64, StorageError> {
        let length = counters::table.find("audit").select(counters::value);
        self.read(|connection| Ok(length.first(connection)?))
    }

    /// How far the history of the database has come: its epoch, and the entries that were ever written. Of any version of the
    /// schema.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn history(&self) -> Result<(i64, i64), StorageError> {
        let of = |name: &'static str| counters::table.find(name).select(counters::value);
        self.read(|connection| {
            let epoch = of("epoch").first(connection).optional()?.unwrap_or(0);
            let entries = of("audit").first(connection).optional()?.unwrap_or(0);
            Ok((epoch, entries))
        })
    }

    /// What checks the links.
    ///
    /// # Errors
    /// [`StorageError`] when [`Self::audit_with`] was not called.
    pub fn audit_chain(&self) -> Result<&Chain, StorageError> {
        chain_of(&self.parts.chain)
    }

    pub(super) fn shared_chain(&self) -> SharedChain {
        Arc::clone(&self.parts.chain)
    }

    /// A step, and what is to be said of it if it did anything, in one transaction.
    pub(super) fn write_audited<T, F>(&self, step: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&mut AnyConnection) -> Result<(T, Option<Event>), StorageError> + Send + 'static,
    {
        let (chain, context) = (self.shared_chain(), self.context.clone());
        self.write(move |connection| {
            let (outcome, event) = step(connection)?;
            if let Some(event) = event {
                append(connection, &chain, &event, &context)?;
            }
            Ok(outcome)
        })
    }
}

/// How often a revocation is tried while another transaction holds a lock that it needs: for as long as a server lets a
/// replica keep it that is paused or lost, so that a logout waits for that instead of failing.
const REVOKING_TRIES: usize = 3;

impl Storage {
    /// The same for a step that revokes: it waits for locks up to [`REVOKING_TRIES`] times as long.
    pub(super) fn write_revoking<T, F>(&self, step: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Fn(&mut AnyConnection) -> Result<(T, Option<Event>), StorageError> + Send + Sync + 'static,
    {
        let step = Arc::new(step);
        for _ in 1..REVOKING_TRIES {
            let step = Arc::clone(&step);
            match self.write_audited(move |connection| step(connection)) {
                Err(StorageError::Locked) => {}
                outcome => return outcome,
            }
        }
        self.write_audited(move |connection| step(connection))
    }
}

pub(super) fn chain_of(chain: &SharedChain) -> Result<&Chain, StorageError> {
    chain.get().ok_or_else(|| StorageError::Unreadable("nothing links the audit log yet".to_owned()))
}

/// Appends to the log, last in the transaction: all writers share the counter's lock.
pub(super) fn append(
    connection: &mut AnyConnection,
    chain: &SharedChain,
    event: &Event,
    context: &RequestContext,
) -> Result<(), StorageError> {
    let chain = chain_of(chain)?;
    let seq: i64 = diesel::update(counters::table.find("audit"))
        .set(counters::value.eq(counters::value + 1))
        .returning(counters::value)
        .get_result(connection)?;
    // An entry that someone has taken away is missed when the chain is checked, not here.
    let before: Option<Vec<u8>> =
        audit::table.find(seq - 1).select(audit::mac).first(connection).optional()?;
    let entry =
        chain.entry(seq, event, context).map_err(|error| StorageError::Unreadable(error.to_string()))?;
    // One of another length was put there by someone else: the entry then follows on none, which is found when the chain is
    // checked, and is signed for nothing else.
    let before = before.and_then(|mac| Mac::try_from(mac).ok());
    let mac = chain.link(before.as_ref(), &entry);
    let row = AuditRow::from_entry(entry, mac.to_vec());
    diesel::insert_into(audit::table).values(row).execute(connection)?;
    Ok(())
}
