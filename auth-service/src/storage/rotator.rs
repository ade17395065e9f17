//! PostgreSQL commits for each transaction, so there is one thread that takes every rotation that is
//! waiting and makes them one statement: one round trip, one plan, one fsync.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::audit::SharedChain;
use super::connection::AnyConnection;
use super::error::StorageError;
use super::pool::Connections;
use super::rotate::{
    RETURNED, Reply, Rotate, SessionAndAccount, holds, one, session_and_account, session_and_account_columns,
    settled,
};
use super::schema::{sessions, users};
use super::writer::{MAX_BATCH, MAX_WAITING, not_sent};
use crate::sessions::{Presented, Rotation};

/// A rotation that took longer was done late: anyone who asked for it may have been sent away.
const LATE: Duration = Duration::from_secs(1);

/// Most rotations whose callers are remembered for [`restart_grace`].
const MAX_DOUBTS: usize = 1024;

/// A handle on the threads, which end when the last handle is gone.
#[derive(Clone)]
pub(super) struct Rotator {
    waiting: SyncSender<Item>,
}

struct Item {
    rotate: Rotate,
    reply: Reply<Rotation>,
    since: Instant,
}

/// A refresh that may have been executed although its caller got 503: the answer came late, or never.
struct Doubt {
    presented: Presented,
    since: Instant,
}

impl Item {
    fn doubt(&self) -> Doubt {
        Doubt { presented: self.rotate.presented.clone(), since: self.since }
    }
}

impl Rotator {
    pub(super) fn start(pool: Connections, chain: SharedChain) -> Result<Self, StorageError> {
        let (waiting, items) = sync_channel(MAX_WAITING);
        let (undecided, slow) = sync_channel(MAX_WAITING);
        let slow_pool = pool.clone();
        spawn("rotator", move || rotate_batches(&pool, &items, &undecided))?;
        spawn("rotator-slow", move || rotate_one_by_one(&slow_pool, &slow, &chain))?;
        Ok(Self { waiting })
    }

    pub(super) fn submit(&self, rotate: Rotate, reply: Reply<Rotation>) {
        hand_on(&self.waiting, Item { rotate, reply, since: Instant::now() });
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StorageError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|error| StorageError::Unavailable(format!("no thread {name}: {error}")))
}

fn hand_on(to: &SyncSender<Item>, item: Item) {
    if let Err(refused) = to.try_send(item) {
        (not_sent(refused).reply)(Err(StorageError::Unavailable(
            "too many rotations are waiting".to_owned(),
        )));
    }
}

fn rotate_batches(pool: &Connections, items: &Receiver<Item>, undecided: &SyncSender<Item>) {
    let mut doubts = Vec::new();
    while let Ok(first) = items.recv() {
        let batch = std::iter::once(first).chain(items.try_iter().take(MAX_BATCH - 1)).collect();
        // A reply that is lost in a panic becomes an error for its caller.
        match catch_unwind(AssertUnwindSafe(|| rotate_batch(pool, batch, undecided, &mut doubts))) {
            Ok(Ok(())) => {}
            // Those that came meanwhile have waited as long, for a database that cannot be used.
            Ok(Err(error)) => refuse(items.try_iter().collect(), &error),
            Err(_) => tracing::error!("a batch of rotations panicked"),
        }
        doubts.truncate(MAX_DOUBTS);
    }
}

/// Those that one statement cannot decide: reuse, which must end the session, and rows that someone else
/// held at that moment. Their waits for locks keep nobody else.
fn rotate_one_by_one(pool: &Connections, items: &Receiver<Item>, chain: &SharedChain) {
    while let Ok(Item { rotate, reply, .. }) = items.recv() {
        let step =
            |connection: &mut AnyConnection| connection.transaction(|inside| one(inside, &rotate, chain));
        let outcome = catch_unwind(AssertUnwindSafe(|| pool.take()?.run(step)));
        reply(
            outcome.unwrap_or_else(|_| Err(StorageError::Unreadable("a storage step panicked".to_owned()))),
        );
    }
}

/// Answers each as soon as its outcome is known, whatever happens to the others.
///
/// # Errors
/// The answers.
fn rotate_batch(
    pool: &Connections,
    batch: Vec<Item>,
    undecided: &SyncSender<Item>,
    doubts: &mut Vec<Doubt>,
) -> Result<(), StorageError> {
    let rotated = restart_grace(pool, doubts).and_then(|()| {
        let mut connection = pool.take()?;
        let rotated = connection.run(|connection| Ok(RotateMany::of(&batch).load(postgres(connection)?)?));
        if rotated.is_err() {
            doubts.extend(batch.iter().map(Item::doubt));
        }
        rotated
    });
    let mut won = match rotated {
        Ok(rows) => by_session(rows),
        Err(error) => {
            refuse(batch, &error);
            return Err(error);
        }
    };
    let mut losers = Vec::new();
    for item in batch {
        let id = item.rotate.presented.session_id.as_str();
        // The winner of a session is the first that presented the generation that it had.
        if won.get(id).is_none_or(|(row, _)| !row.was_rotated_by(&item.rotate.presented)) {
            losers.push(item);
        } else if let Some(row) = won.remove(id) {
            if item.since.elapsed() > LATE {
                doubts.push(item.doubt());
            }
            (item.reply)(holds(row, false));
        }
    }
    if losers.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = losers.iter().map(|item| item.rotate.presented.session_id.as_str()).collect();
    let found = pool.take().and_then(|mut taken| taken.run(|connection| load(postgres(connection)?, &ids)));
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            refuse(losers, &error);
            return Err(error);
        }
    };
    for item in losers {
        let row = found.get(&item.rotate.presented.session_id).cloned();
        match settled(row, &item.rotate.presented) {
            Ok(Some(rotation)) => (item.reply)(Ok(rotation)),
            Ok(None) => hand_on(undecided, item),
            Err(error) => (item.reply)(Err(error)),
        }
    }
    Ok(())
}

/// A database that stood still does at last what was asked of it long before, and one whose connections broke may
/// have done it. Anyone who was sent away meanwhile comes back with the token that this has spent, and has the whole
/// grace for it.
fn restart_grace(pool: &Connections, doubts: &mut Vec<Doubt>) -> Result<(), StorageError> {
    if doubts.is_empty() {
        return Ok(());
    }
    pool.take()?.run(|connection| {
        let connection = postgres(connection)?;
        for Doubt { presented, since } in doubts.iter() {
            // Executed by this very call; not refreshed since.
            let rotated = sessions::table
                .find(&presented.session_id)
                .filter(sessions::generation.eq(presented.generation + 1))
                .filter(sessions::rotated_at.eq(presented.now.0));
            let now = presented.now.plus(since.elapsed());
            diesel::update(rotated).set(sessions::rotated_at.eq(now.0)).execute(connection)?;
        }
        Ok(())
    })?;
    doubts.clear();
    Ok(())
}

fn refuse(items: Vec<Item>, error: &StorageError) {
    items.into_iter().for_each(|item| (item.reply)(Err(error.clone())));
}

fn postgres(connection: &mut AnyConnection) -> Result<&mut PgConnection, StorageError> {
    match connection {
        AnyConnection::Postgres(postgres) => Ok(postgres),
        AnyConnection::Sqlite(_) => Err(StorageError::Unreadable("the rotator is PostgreSQL's".to_owned())),
    }
}

fn load(
    connection: &mut PgConnection,
    ids: &[&str],
) -> Result<HashMap<String, SessionAndAccount>, StorageError> {
    let found = sessions::table.inner_join(users::table).filter(sessions::id.eq_any(ids));
    let rows = found.select(session_and_account_columns()).load(connection)?;
    Ok(by_session(rows.into_iter().map(session_and_account).collect()))
}

fn by_session(rows: Vec<SessionAndAccount>) -> HashMap<String, SessionAndAccount> {
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
    fn of(batch: &'a [Item]) -> Self {
        let presented = || batch.iter().map(|item| &item.rotate.presented);
        Self {
            ids: presented().map(|presented| presented.session_id.as_str()).collect(),
            generations: presented().map(|presented| presented.generation).collect(),
            clients: presented().map(|presented| presented.client_id.as_str()).collect(),
            nows: presented().map(|presented| presented.now.0).collect(),
            idle_ends: batch.iter().map(|item| item.rotate.idle_expires_at.0).collect(),
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
