//! PostgreSQL commits for each transaction, so there is one thread that takes every rotation that is
//! waiting and makes them one statement: one round trip, one plan, one fsync.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::r2d2::Pool;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::connection::{AnyConnection, Manager};
use super::error::StorageError;
use super::rotate::{RETURNED, Reply, Rotate, SessionAndRoles, holds, one, session_and_roles, settled};
use super::schema::{sessions, users};
use super::sessions::SessionRow;
use super::take;
use super::writer::{MAX_BATCH, MAX_WAITING};
use crate::sessions::Rotation;

/// A handle on the thread, which ends when the last handle is gone.
#[derive(Clone)]
pub struct Rotator {
    waiting: SyncSender<(Rotate, Reply)>,
}

type Outcome = Result<Rotation, StorageError>;

impl Rotator {
    pub fn start(pool: Pool<Manager>) -> Result<Self, StorageError> {
        let (waiting, items) = sync_channel(MAX_WAITING);
        thread::Builder::new()
            .name("rotator".to_owned())
            .spawn(move || rotate_batches(&pool, &items))
            .map_err(|error| StorageError::Unavailable(format!("no rotator thread: {error}")))?;
        Ok(Self { waiting })
    }

    pub fn submit(&self, rotate: Rotate, reply: Reply) {
        if let Err(refused) = self.waiting.try_send((rotate, reply)) {
            let (_, reply) = super::writer::not_sent(refused);
            reply(Err(StorageError::Unavailable("too many rotations are waiting".to_owned())));
        }
    }
}

fn rotate_batches(pool: &Pool<Manager>, items: &Receiver<(Rotate, Reply)>) {
    while let Ok(first) = items.recv() {
        let batch = std::iter::once(first).chain(items.try_iter().take(MAX_BATCH - 1));
        let (rotations, replies): (Vec<Rotate>, Vec<Reply>) = batch.unzip();
        let outcomes = catch_unwind(AssertUnwindSafe(|| rotate_many(pool, &rotations)))
            .unwrap_or_else(|_| Err(StorageError::Unreadable("a storage step panicked".to_owned())));
        match outcomes {
            Ok(outcomes) => replies.into_iter().zip(outcomes).for_each(|(reply, outcome)| reply(outcome)),
            Err(error) => replies.into_iter().for_each(|reply| reply(Err(error.clone()))),
        }
    }
}

/// One outcome for each rotation, in order.
fn rotate_many(pool: &Pool<Manager>, rotations: &[Rotate]) -> Result<Vec<Outcome>, StorageError> {
    take(pool)?.run(|connection| {
        let AnyConnection::Postgres(postgres) = connection else {
            return Err(StorageError::Unreadable("the rotator is PostgreSQL's".to_owned()));
        };
        let mut won = by_session(RotateMany::of(rotations).load(postgres)?);
        // The winner of a session is the first that presented the generation that it had.
        let mut outcomes: Vec<Option<Outcome>> = rotations
            .iter()
            .map(|rotate| {
                let id = rotate.presented.session_id.as_str();
                let same = won.get(id).is_some_and(|(row, _)| row.was_rotated_by(&rotate.presented));
                let row = if same { won.remove(id) } else { None };
                row.map(|row| holds(row, false))
            })
            .collect();
        let losers = rotations.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_none());
        let ids: Vec<&str> = losers.map(|(rotate, _)| rotate.presented.session_id.as_str()).collect();
        let found = if ids.is_empty() { HashMap::new() } else { load(postgres, &ids)? };
        for (rotate, outcome) in rotations.iter().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_none())
        {
            let row = found.get(&rotate.presented.session_id).cloned();
            *outcome = match settled(row, &rotate.presented) {
                Ok(Some(rotation)) => Some(Ok(rotation)),
                // Reuse, which must end the session; or a row that somebody else held for a moment.
                Ok(None) => Some(connection.transaction(|connection| one(connection, rotate))),
                Err(error) => Some(Err(error)),
            };
        }
        Ok(outcomes.into_iter().flatten().collect())
    })
}

fn load(
    connection: &mut PgConnection,
    ids: &[&str],
) -> Result<HashMap<String, SessionAndRoles>, StorageError> {
    let found = sessions::table.inner_join(users::table).filter(sessions::id.eq_any(ids));
    let rows = found.select((SessionRow::as_select(), users::roles, users::disabled_at)).load(connection)?;
    Ok(by_session(rows.into_iter().map(session_and_roles).collect()))
}

fn by_session(rows: Vec<SessionAndRoles>) -> HashMap<String, SessionAndRoles> {
    rows.into_iter().map(|row| (row.0.id.clone(), row)).collect()
}

/// Rows that another transaction holds are left out, so that a batch never waits while it holds others:
/// two replicas could each wait for the other.
struct RotateMany<'a> {
    ids: Vec<&'a str>,
    generations: Vec<i64>,
    clients: Vec<&'a str>,
    nows: Vec<i64>,
    idle_ends: Vec<i64>,
}

impl<'a> RotateMany<'a> {
    fn of(rotations: &'a [Rotate]) -> Self {
        Self {
            ids: rotations.iter().map(|rotate| rotate.presented.session_id.as_str()).collect(),
            generations: rotations.iter().map(|rotate| rotate.presented.generation).collect(),
            clients: rotations.iter().map(|rotate| rotate.presented.client_id.as_str()).collect(),
            nows: rotations.iter().map(|rotate| rotate.presented.now.0).collect(),
            idle_ends: rotations.iter().map(|rotate| rotate.idle_expires_at.0).collect(),
        }
    }
}

impl QueryId for RotateMany<'_> {
    type QueryId = RotateMany<'static>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for RotateMany<'_> {
    type SqlType = (sessions::SqlType, Nullable<Text>);
}

impl RunQueryDsl<PgConnection> for RotateMany<'_> {}

impl QueryFragment<Pg> for RotateMany<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH asked AS MATERIALIZED (SELECT * FROM unnest(");
        out.push_bind_param::<Array<Text>, _>(&self.ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.generations)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.clients)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.nows)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.idle_ends)?;
        out.push_sql(
            ") AS t (id, generation, client_id, now, idle_expires_at)), \
             free AS MATERIALIZED (SELECT id FROM sessions WHERE id IN (SELECT id FROM asked) \
             FOR UPDATE SKIP LOCKED) \
             UPDATE sessions SET generation = sessions.generation + 1, rotated_at = asked.now, \
             idle_expires_at = asked.idle_expires_at \
             FROM asked JOIN free USING (id) \
             WHERE sessions.id = asked.id AND sessions.generation = asked.generation \
             AND sessions.client_id = asked.client_id AND sessions.idle_expires_at > asked.now \
             AND sessions.expires_at > asked.now AND sessions.ended_at IS NULL RETURNING ",
        );
        out.push_sql(RETURNED);
        Ok(())
    }
}
