use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::revocations;
use super::{Storage, count_up, count_up_by};
use crate::audit::{Action, Actor, Event};
use crate::clients::ClientId;
use crate::clock::{CLOCK_DIFFERENCE, Timestamp};
use crate::revocations::{Revocation, RevocationTarget};

type Row = (i64, String, String, Option<i64>, i64);

/// Most entries for the sessions of one user that end at once. Above it one entry for the user takes their place, so
/// that no user makes the log, and what everybody else waits for, long.
const MOST_SESSION_ENTRIES: usize = 1000;

/// Rows of one INSERT: a database takes at most 32,766 parameters.
const ROWS: usize = 2000;

impl Storage {
    /// Takes one token back until it would have expired, as its client has asked.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn revoke_token(
        &self,
        jti: &str,
        client: &ClientId,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        let (jti, client) = (jti.to_owned(), client.clone());
        self.write_revoking(move |connection| {
            let again =
                revocations::table.filter(revocations::kind.eq("token")).filter(revocations::id.eq(&jti));
            // Write first: the counter's lock makes the look and the insert one step.
            let seq = count_up(connection, "revocations")?;
            if again.select(revocations::seq).first::<i64>(connection).optional()?.is_some() {
                return Err(StorageError::Taken);
            }
            insert(connection, &[row(seq, &RevocationTarget::Token(jti.clone()), expires_at)])?;
            let event = Event::of(Action::TokenRevoked).client(client.as_str()).detail(format!("jti {jti}"));
            Ok(((), Some(event.by(Actor::Client(client.clone())))))
        })
        .or_else(|error| if error == StorageError::Taken { Ok(()) } else { Err(error) })
    }

    /// Every revocation that can still match a token at `now`, in order.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn live_revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StorageError> {
        let live = revocations::table
            .filter(revocations::expires_at.gt(now.0))
            .order(revocations::seq)
            .select(revocations::all_columns);
        let rows: Vec<Row> = self.look(|connection| Ok(live.load(connection)?))?;
        Ok(rows.into_iter().filter_map(revocation).collect())
    }

    /// Every revocation with a number above `seq`, in order.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn revocations_after(&self, seq: i64) -> Result<Vec<Revocation>, StorageError> {
        let newer = revocations::table
            .filter(revocations::seq.gt(seq))
            .order(revocations::seq)
            .select(revocations::all_columns);
        let rows: Vec<Row> = self.look(|connection| Ok(newer.load(connection)?))?;
        Ok(rows.into_iter().filter_map(revocation).collect())
    }
}

/// What to revoke for sessions of one user that have ended. Others of that user survive, unless there are so many that one
/// entry must do for all of the user's tokens: then those of the seconds in which a replica's clock may be ahead are
/// revoked, too, and clients refresh.
pub(super) fn of_ended_sessions(ids: &[String], user_id: &str, now: Timestamp) -> Vec<RevocationTarget> {
    let not_before = now.plus(CLOCK_DIFFERENCE);
    each_or(ids, || RevocationTarget::Subject { sub: user_id.to_owned(), not_before })
}

/// The same for sessions that a client held: one entry for all of its tokens where there are too many.
pub(super) fn of_ended_sessions_of_client(
    ids: &[String],
    client_id: &str,
    now: Timestamp,
) -> Vec<RevocationTarget> {
    let not_before = now.plus(CLOCK_DIFFERENCE);
    each_or(ids, || RevocationTarget::Client { id: client_id.to_owned(), not_before })
}

fn each_or(ids: &[String], all: impl FnOnce() -> RevocationTarget) -> Vec<RevocationTarget> {
    if ids.len() > MOST_SESSION_ENTRIES {
        return vec![all()];
    }
    ids.iter().cloned().map(RevocationTarget::Session).collect()
}

/// Adds entries in the transaction of the change that calls for them: one statement for the counter and one for every
/// [`ROWS`] entries, since all who revoke wait for the counter.
pub(super) fn append(
    connection: &mut AnyConnection,
    targets: &[RevocationTarget],
    until: Timestamp,
) -> Result<(), StorageError> {
    if targets.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(targets.len()).unwrap_or(i64::MAX);
    let last = count_up_by(connection, "revocations", count)?;
    let rows: Vec<_> =
        (last - count + 1..).zip(targets).map(|(seq, target)| row(seq, target, until)).collect();
    rows.chunks(ROWS).try_for_each(|rows| insert(connection, rows))
}

#[derive(Insertable)]
// One statement for all rows: else diesel makes one for each, in a transaction of its own.
#[diesel(table_name = revocations, treat_none_as_default_value = false)]
struct NewRow {
    seq: i64,
    kind: &'static str,
    id: String,
    not_before: Option<i64>,
    expires_at: i64,
}

fn row(seq: i64, target: &RevocationTarget, until: Timestamp) -> NewRow {
    let (kind, id, not_before) = match target {
        RevocationTarget::Session(id) => ("session", id, None),
        RevocationTarget::Token(jti) => ("token", jti, None),
        RevocationTarget::Subject { sub, not_before } => ("subject", sub, Some(not_before.0)),
        RevocationTarget::Client { id, not_before } => ("client", id, Some(not_before.0)),
    };
    NewRow { seq, kind, id: id.clone(), not_before, expires_at: until.0 }
}

fn insert(connection: &mut AnyConnection, rows: &[NewRow]) -> Result<(), StorageError> {
    match connection {
        AnyConnection::Postgres(connection) => {
            diesel::insert_into(revocations::table).values(rows).execute(connection)?;
        }
        AnyConnection::Sqlite(connection) => {
            diesel::insert_into(revocations::table).values(rows).execute(connection)?;
        }
    }
    Ok(())
}

/// `None` for a kind that a later release writes: it must not keep the others from being known here.
fn revocation((seq, kind, id, not_before, expires_at): Row) -> Option<Revocation> {
    let target = match (kind.as_str(), not_before) {
        ("session", _) => RevocationTarget::Session(id),
        ("token", _) => RevocationTarget::Token(id),
        ("subject", Some(not_before)) => {
            RevocationTarget::Subject { sub: id, not_before: Timestamp(not_before) }
        }
        ("client", Some(not_before)) => RevocationTarget::Client { id, not_before: Timestamp(not_before) },
        _ => {
            tracing::error!(seq, kind, "a revocation of an unknown kind is passed over");
            return None;
        }
    };
    Some(Revocation { seq, target, expires_at: Timestamp(expires_at) })
}
