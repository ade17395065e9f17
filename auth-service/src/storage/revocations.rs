use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StorageError;
use super::schema::revocations;
use super::{Storage, count_up};
use crate::audit::{Action, Actor, Event};
use crate::clients::ClientId;
use crate::clock::Timestamp;
use crate::revocations::{Revocation, RevokedThing};

type Row = (i64, String, String, Option<i64>, i64);

/// What a revocation hits.
#[derive(Debug, Clone, Copy)]
pub enum Hit<'a> {
    /// Every access token of a session.
    Session(&'a str),
    /// One token, by its `jti`.
    Token(&'a str),
    /// Every token of a subject that was issued up to an instant.
    Subject(&'a str, Timestamp),
    /// Every token of a client that was issued up to an instant.
    Client(&'a str, Timestamp),
}

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
        self.write_audited(move |connection| {
            let again =
                revocations::table.filter(revocations::kind.eq("token")).filter(revocations::id.eq(&jti));
            // Write first: the counter's lock makes the look and the insert one step.
            let seq = count_up(connection, "revocations")?;
            if again.select(revocations::seq).first::<i64>(connection).optional()?.is_some() {
                return Err(StorageError::Taken);
            }
            insert(connection, seq, Hit::Token(&jti), expires_at)?;
            let event = Event::of(Action::TokenRevoked).client(client.as_str()).detail(format!("jti {jti}"));
            Ok(((), Some(event.by(Actor::Client(client)))))
        })
        .or_else(|error| if error == StorageError::Taken { Ok(()) } else { Err(error) })
    }

    /// Every revocation that can still hit a token at `now`, in order.
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

/// Adds an entry in the transaction of the change that calls for it.
pub(super) fn append(
    connection: &mut AnyConnection,
    hit: Hit<'_>,
    until: Timestamp,
) -> Result<(), StorageError> {
    let seq = count_up(connection, "revocations")?;
    insert(connection, seq, hit, until)
}

/// Takes back the tokens of sessions that have ended.
pub(super) fn append_sessions(
    connection: &mut AnyConnection,
    ids: &[String],
    until: Timestamp,
) -> Result<(), StorageError> {
    ids.iter().try_for_each(|id| append(connection, Hit::Session(id), until))
}

fn insert(
    connection: &mut AnyConnection,
    seq: i64,
    hit: Hit<'_>,
    until: Timestamp,
) -> Result<(), StorageError> {
    let (kind, id, not_before) = match hit {
        Hit::Session(id) => ("session", id, None),
        Hit::Token(jti) => ("token", jti, None),
        Hit::Subject(sub, not_before) => ("subject", sub, Some(not_before.0)),
        Hit::Client(id, not_before) => ("client", id, Some(not_before.0)),
    };
    diesel::insert_into(revocations::table)
        .values((
            revocations::seq.eq(seq),
            revocations::kind.eq(kind),
            revocations::id.eq(id),
            revocations::not_before.eq(not_before),
            revocations::expires_at.eq(until.0),
        ))
        .execute(connection)?;
    Ok(())
}

/// `None` for a kind that a later release writes: it must not keep the others from being known here.
fn revocation((seq, kind, id, not_before, expires_at): Row) -> Option<Revocation> {
    let thing = match (kind.as_str(), not_before) {
        ("session", _) => RevokedThing::Session(id),
        ("token", _) => RevokedThing::Token(id),
        ("subject", Some(not_before)) => RevokedThing::Subject { sub: id, not_before: Timestamp(not_before) },
        ("client", Some(not_before)) => RevokedThing::Client { id, not_before: Timestamp(not_before) },
        _ => {
            tracing::error!(seq, kind, "a revocation of an unknown kind is passed over");
            return None;
        }
    };
    Some(Revocation { seq, thing, expires_at: Timestamp(expires_at) })
}
