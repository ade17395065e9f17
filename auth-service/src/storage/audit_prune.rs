//! Deletes the oldest entries of the audit log, and erases what it says about a deleted user. The rest stays verifiable.

use diesel::prelude::*;

use super::Storage;
use super::audit::chain_of;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::{audit, audit_checkpoint};
use crate::audit::{Action, Checkpoint, Event, Position};

/// The only row of the table of checkpoints.
const ROW: i64 = 1;

impl Storage {
    /// Where the log was last pruned.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn audit_checkpoint(&self) -> Result<Option<Checkpoint>, StorageError> {
        let columns = (audit_checkpoint::seq, audit_checkpoint::mac, audit_checkpoint::seal);
        let row = audit_checkpoint::table.find(ROW).select(columns);
        let row: Option<(i64, Vec<u8>, Vec<u8>)> =
            self.read(|connection| Ok(row.first(connection).optional()?))?;
        Ok(row.map(|(seq, mac, seal)| Checkpoint { position: Position { seq, mac }, seal }))
    }

    /// Deletes the entries up to a position, which the caller has verified: how many.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn prune_audit(&self, up_to: Position) -> Result<usize, StorageError> {
        let chain = self.shared_chain();
        self.write_audited(move |connection| {
            let checkpoint = chain_of(&chain)?.seal_checkpoint(up_to);
            if !advance(connection, &checkpoint)? {
                // Another replica was faster.
                return Ok((0, None));
            }
            let seq = checkpoint.position.seq;
            let pruned = diesel::delete(audit::table.filter(audit::seq.le(seq))).execute(connection)?;
            let detail = format!("entries up to {seq}: {pruned}");
            Ok((pruned, Some(Event::of(Action::AuditPruned).detail(detail))))
        })
    }
}

/// Moves the checkpoint forward; `false` when it is as far already.
fn advance(connection: &mut AnyConnection, checkpoint: &Checkpoint) -> Result<bool, StorageError> {
    let Checkpoint { position: Position { seq, mac }, seal } = checkpoint;
    let values =
        (audit_checkpoint::seq.eq(seq), audit_checkpoint::mac.eq(mac), audit_checkpoint::seal.eq(seal));
    let behind = audit_checkpoint::table.find(ROW).filter(audit_checkpoint::seq.lt(seq));
    if diesel::update(behind).set(values).execute(connection)? > 0 {
        return Ok(true);
    }
    let row = (audit_checkpoint::id.eq(ROW), values.0, values.1, values.2);
    let inserted = match connection {
        AnyConnection::Postgres(connection) => diesel::insert_into(audit_checkpoint::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
        AnyConnection::Sqlite(connection) => diesel::insert_into(audit_checkpoint::table)
            .values(row)
            .on_conflict_do_nothing()
            .execute(connection)?,
    };
    Ok(inserted > 0)
}

/// Erases the client IPs, user agents and usernames in the entries about a user.
pub(super) fn erase_personal_data(connection: &mut AnyConnection, user_id: &str) -> Result<(), StorageError> {
    let entries = audit::table.filter(audit::user_id.eq(user_id)).filter(audit::salt.is_not_null());
    let erased = (
        audit::client_ip.eq(None::<String>),
        audit::user_agent.eq(None::<String>),
        audit::username.eq(None::<String>),
        audit::salt.eq(None::<Vec<u8>>),
    );
    diesel::update(entries).set(erased).execute(connection)?;
    Ok(())
}
